"""PostgreSQL and Valkey for a machine that has neither: started on demand when DATABASE_URL / REDIS_URL are unset.

The binaries come with the packages in requirements.txt. Everything lives under one folder (VV_VAR_DIR, by default
`var/`): data, ports, passwords, logs. The servers listen on the loopback address only, outlive the command that
started them and end with `manage.py servers stop`. Two checkouts have two folders and so never meet.

`servers.ensure_running()` is what the settings call; `servers.status()` looks and changes nothing.
"""
