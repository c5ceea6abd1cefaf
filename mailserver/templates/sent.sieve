require ["fileinto", "imap4flags", "mailbox"];
fileinto :create :flags "\\Seen" "Sent";
stop;
