"""Mail without a mail server: files that any mail program opens."""

from email import message_from_bytes, policy
from pathlib import Path

from django.core.mail import EmailMessage, get_connection


def test_each_mail_is_one_file_that_holds_all_of_it(tmp_path: Path) -> None:
    connection = get_connection("valueverse.mail_files.EmlFileBackend", file_path=str(tmp_path / "mail"))
    for number in (1, 2):
        mail = EmailMessage(f"Invoice {number}", "Für Sie", "billing@example.com", ["ada@example.com"])
        mail.attach("invoice.pdf", b"%PDF-1.7", "application/pdf")
        assert connection.send_messages([mail]) == 1
    files = sorted((tmp_path / "mail").iterdir())
    assert [file.suffix for file in files] == [".eml", ".eml"]
    read = message_from_bytes(files[0].read_bytes(), policy=policy.default)
    assert read["To"] == "ada@example.com"
    attachment = next(read.iter_attachments())
    assert (attachment.get_filename(), attachment.get_content()) == ("invoice.pdf", b"%PDF-1.7")
