"""Search across the back office: documents, customers, money and commands from one box, whatever page one is on.

`terms` reads what was typed, `kinds` says what is looked for and by which index, `commands` are the pages and verbs,
`views` answers. Every question is answered by an index and bounded; nothing is cached, so that a new invoice is found
at once.
"""
