"""The headings of the operations, with a description of each."""

from __future__ import annotations

NOUNS = {
    "Agent": "Agents that sign up by themselves, where the server allows it.",
    "Aliases": "Further addresses of inboxes, and catch-alls.",
    "API keys": "Keys of the whole organization, of a pod or of an inbox.",
    "Attachments": "The files of messages and drafts.",
    "Domains": "Your mail domains, with the DNS records to publish.",
    "Downloads": "Files by signed link.",
    "Drafts": "Messages that are not sent yet.",
    "Events": "What happened, in order.",
    "Feedback": "Reports about this API to its operator.",
    "Inboxes": "Real mailboxes with an address.",
    "Lists": "Who may write to an inbox, and to whom it may write.",
    "Messages": "Send, answer, read, find and label mail.",
    "Metrics": "Figures over time.",
    "Organization": "The organization of the key.",
    "Organizations": "The organization of the key, and the key's scope.",
    "Pauses": "Let nothing of an inbox, a pod or an organization leave for a while.",
    "Pods": "Groups of inboxes, such as one for each tenant.",
    "Policies": "What may be sent: a rule of the organization, a pod or an inbox.",
    "Policy": "Whose mail comes in, and to whom mail may go.",
    "Queue": "Messages that wait to be sent, and why.",
    "Audit": "Who changed what.",
    "Register": "Make an organization without a key, where the server allows it.",
    "Reputation": "Whether an inbox may send, and how often its mail bounces.",
    "Reviews": "Messages that are held until a person decides about them.",
    "Sender rules": "Senders whose mail an inbox accepts.",
    "Sign-in": "Programs that ask a person for a key.",
    "Suppressions": "Addresses that are sent no mail.",
    "Threads": "Messages that belong together.",
    "Usage": "How much was received and sent.",
    "Wallet": "Prepaid credit, on servers that charge for mail.",
    "Webhooks": "URLs to which events are posted.",
}


def noun_of(tag: str) -> str:
    """A table's tag as a heading: ``api_keys`` and ``api-keys`` are ``API keys``."""
    words = tag.replace("_", " ").replace("-", " ") if tag != "sign-in" else tag
    words = words[:1].upper() + words[1:]
    return words.replace("Api ", "API ")
