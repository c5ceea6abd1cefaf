"""What tests of several rooms share: servers, running gateways, mails, and waiting for what others do."""
