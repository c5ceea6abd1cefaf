"""An example of each request body."""

from __future__ import annotations

from typing import Any

from gateway.api.reference.example_values import ULID

BODIES: dict[str, dict[str, Any]] = {
    "AgentMail.AttachHuman": {"human_email": "owner@example.net"},
    "AgentMail.BatchIds": {"message_ids": [f"msg_{ULID}"]},
    "AgentMail.BatchLabels": {"message_ids": [f"msg_{ULID}"], "add_labels": ["handled"]},
    "AgentMail.CreateAlias": {"address": "sales@example.com", "inbox_ids": ["agent@example.com"]},
    "AgentMail.CreateDomain": {"domain": "example.com"},
    "AgentMail.CreateEntry": {"entry": "spammer@example.net", "reason": "unwanted offers"},
    "AgentMail.CreateInbox": {"username": "agent", "display_name": "Support agent", "client_id": "agent-1"},
    "AgentMail.CreateKey": {"name": "worker", "permissions": {"message_read": True, "message_send": True}},
    "AgentMail.CreatePod": {"name": "Tenant 1", "client_id": "tenant-1"},
    "AgentMail.CreatePolling": {"client_id": "my-agent", "event_types": ["message.received"]},
    "AgentMail.CreateWebhook": {
        "url": "https://app.example.com/hooks/mail",
        "event_types": ["message.received"],
        "inbox_ids": [],
    },
    "AgentMail.DraftBody": {"to": ["ann@example.net"], "subject": "Your order", "text": "It is on its way."},
    "AgentMail.DraftPatch": {"subject": "Your order 1042", "add_labels": ["checked"]},
    "AgentMail.DraftSendBody": {"add_labels": ["approved"]},
    "AgentMail.Headers": {"headers": {"X-Token": "a-value-only-you-know"}, "remove_headers": ["X-Old"]},
    "AgentMail.LabelsBody": {"add_labels": ["handled"], "remove_labels": ["unread"]},
    "AgentMail.PolicyBody": {
        "sending": {"mode": "free", "only": ["*.example.com"]},
        "locked": ["sending.only"],
    },
    "AgentMail.ReplaceAlias": {"inbox_ids": ["agent@example.com"]},
    "AgentMail.Replay": {"since": "2026-03-02T09:00:00Z"},
    "AgentMail.ReplyBody": {"text": "Thank you, we look into it."},
    "AgentMail.Rotate": {"force": False},
    "AgentMail.RsvpBody": {"response": "accept", "text": "See you there."},
    "AgentMail.SendBody": {
        "to": ["ann@example.net"],
        "subject": "Your order",
        "text": "It is on its way.",
        "html": "<p>It is on its way.</p>",
    },
    "AgentMail.SetCatchAll": {"inbox_id": "agent@example.com"},
    "AgentMail.SetPolicy": {"mode": "testing"},
    "AgentMail.SetQuota": {"quota_bytes": 1073741824},
    "AgentMail.SignUp": {"username": "agent", "human_email": "owner@example.net"},
    "AgentMail.UpdateDomain": {"subdomains_enabled": True},
    "AgentMail.UpdateInbox": {"display_name": "Support", "metadata": {"team": "support"}},
    "AgentMail.UpdateKey": {"name": "worker-2"},
    "AgentMail.UpdatePod": {"name": "Tenant 1"},
    "AgentMail.UpdateWebhook": {"event_types": ["message.received", "message.bounced"], "enabled": True},
    "AgentMail.Verify": {"otp_code": "123456"},
    "MailboxKit.CreateApiKey": {"name": "worker", "test": False},
    "MailboxKit.CreateDomain": {"name": "example.com"},
    "MailboxKit.CreateInbox": {"name": "Support agent", "email": "agent@example.com"},
    "MailboxKit.CreateWebhook": {
        "url": "https://app.example.com/hooks/mail",
        "events": ["message.received"],
        "name": "app",
    },
    "MailboxKit.Registration": {"name": "Example Ltd", "owner_email": "owner@example.net"},
    "MailboxKit.ReplyBody": {"text": "Thank you, we look into it."},
    "MailboxKit.RsvpBody": {"response": "accept", "text": "See you there."},
    "MailboxKit.SearchBody": {"query": "invoice", "fields": ["subject"], "date_from": "2026-03-01"},
    "MailboxKit.SendBody": {
        "to": ["ann@example.net"],
        "subject": "Your order",
        "text": "It is on its way.",
        "html": "<p>It is on its way.</p>",
    },
    "MailboxKit.TopUp": {"mills": 10000},
    "OpenMail.AssignDomain": {"podId": "tenant-1"},
    "OpenMail.CreateAccountKey": {"name": "worker"},
    "OpenMail.CreateApiKey": {"name": "worker"},
    "OpenMail.CreateInbox": {"mailboxName": "agent", "displayName": "Support agent"},
    "OpenMail.CreatePod": {"clientId": "tenant-1", "name": "Tenant 1"},
    "OpenMail.Feedback": {
        "type": "bug",
        "message": "The answer has no id.",
        "context": {"endpoint": "mcp"},
    },
    "OpenMail.NewDomain": {"domain": "example.com"},
    "OpenMail.NewRule": {"action": "block", "sender": "example.net", "reason": "unwanted offers"},
    "OpenMail.NewSuppression": {"address": "ann@example.net", "type": "unsub"},
    "OpenMail.PolicyBody": {
        "inbound": {"mode": "allowlist", "rules": [{"type": "allow", "value": "*.example.com"}]}
    },
    "OpenMail.RsvpBody": {"response": "accept", "text": "See you there."},
    "OpenMail.SendBody": {"to": "ann@example.net", "subject": "Your order", "body": "It is on its way."},
    "OpenMail.SetMode": {"mode": "allowlist"},
    "OpenMail.SetWebhook": {"url": "https://app.example.com/hooks/mail"},
    "OpenMail.Suspend": {"reason": "manual_review"},
    "OpenMail.ThreadPatch": {"is_read": True},
    "OpenMail.UpdateInbox": {"displayName": "Support"},
    "OpenMail.UpdatePod": {"name": "Tenant 1"},
}
"""By the schema's name."""
