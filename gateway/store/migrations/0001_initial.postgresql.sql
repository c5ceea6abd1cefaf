CREATE TABLE "alias" ("id" VARCHAR(255) NOT NULL PRIMARY KEY, "organization_id" VARCHAR(255) NOT NULL, "address" VARCHAR(255) NOT NULL, "domain" VARCHAR(255) NOT NULL, "refused" INTEGER NOT NULL DEFAULT 0, "created_at" BIGINT NOT NULL, "updated_at" BIGINT NOT NULL)

CREATE INDEX "alias_organization_id" ON "alias" ("organization_id")

CREATE UNIQUE INDEX "alias_address" ON "alias" ("address")

CREATE INDEX "alias_domain" ON "alias" ("domain")

CREATE TABLE "alias_target" ("id" BIGSERIAL NOT NULL PRIMARY KEY, "alias_id" VARCHAR(255) NOT NULL, "inbox_id" VARCHAR(255) NOT NULL)

CREATE INDEX "aliastarget_inbox_id" ON "alias_target" ("inbox_id")

CREATE UNIQUE INDEX "aliastarget_alias_id_inbox_id" ON "alias_target" ("alias_id", "inbox_id")

CREATE TABLE "api_key" ("id" VARCHAR(255) NOT NULL PRIMARY KEY, "number" BIGINT NOT NULL, "organization_id" VARCHAR(255) NOT NULL, "pod_id" VARCHAR(255), "inbox_id" VARCHAR(255), "name" TEXT, "prefix" TEXT NOT NULL, "last4" TEXT NOT NULL, "hash" VARCHAR(255) NOT NULL, "permissions_json" TEXT, "test" INTEGER NOT NULL DEFAULT 0, "operator" INTEGER NOT NULL DEFAULT 0, "expires_at" BIGINT, "used_at" BIGINT, "created_at" BIGINT NOT NULL, "updated_at" BIGINT NOT NULL)

CREATE INDEX "apikey_number" ON "api_key" ("number")

CREATE INDEX "apikey_organization_id" ON "api_key" ("organization_id")

CREATE INDEX "apikey_pod_id" ON "api_key" ("pod_id")

CREATE INDEX "apikey_inbox_id" ON "api_key" ("inbox_id")

CREATE UNIQUE INDEX "apikey_hash" ON "api_key" ("hash")

CREATE TABLE "attachment_text" ("id" BIGSERIAL NOT NULL PRIMARY KEY, "inbox_id" VARCHAR(255) NOT NULL, "message_id" VARCHAR(255) NOT NULL, "attachment_id" VARCHAR(255) NOT NULL, "method" VARCHAR(255) NOT NULL, "text" TEXT)

CREATE UNIQUE INDEX "attachmenttext_message_id_attachment_id" ON "attachment_text" ("message_id", "attachment_id")

CREATE INDEX "attachmenttext_inbox_id_attachment_id" ON "attachment_text" ("inbox_id", "attachment_id")

CREATE TABLE "attempt" ("id" BIGSERIAL NOT NULL PRIMARY KEY, "delivery_id" BIGINT, "event_id" VARCHAR(255) NOT NULL, "webhook_id" VARCHAR(255) NOT NULL, "number" INTEGER NOT NULL, "url" TEXT NOT NULL, "status" INTEGER, "response" TEXT, "error" TEXT, "duration_ms" INTEGER, "created_at" BIGINT NOT NULL)

CREATE INDEX "attempt_delivery_id" ON "attempt" ("delivery_id")

CREATE INDEX "attempt_event_id" ON "attempt" ("event_id")

CREATE INDEX "attempt_created_at" ON "attempt" ("created_at")

CREATE INDEX "attempt_webhook_id_id" ON "attempt" ("webhook_id", "id")

CREATE TABLE "cli_login" ("id" VARCHAR(255) NOT NULL PRIMARY KEY, "hash" VARCHAR(255) NOT NULL, "user_code" VARCHAR(255) NOT NULL, "origin" TEXT NOT NULL, "organization_id" VARCHAR(255), "permissions_json" TEXT, "test" INTEGER NOT NULL DEFAULT 0, "created_at" BIGINT NOT NULL, "expires_at" BIGINT NOT NULL)

CREATE UNIQUE INDEX "clilogin_hash" ON "cli_login" ("hash")

CREATE UNIQUE INDEX "clilogin_user_code" ON "cli_login" ("user_code")

CREATE INDEX "clilogin_expires_at" ON "cli_login" ("expires_at")

CREATE TABLE "delivery" ("id" BIGSERIAL NOT NULL PRIMARY KEY, "event_seq" BIGINT NOT NULL, "webhook_id" VARCHAR(255) NOT NULL, "inbox_id" VARCHAR(255), "lane" VARCHAR(255) NOT NULL, "state" VARCHAR(255) NOT NULL, "attempts" INTEGER NOT NULL DEFAULT 0, "first_failed_at" BIGINT, "next_at" BIGINT NOT NULL, "created_at" BIGINT NOT NULL)

CREATE INDEX "delivery_event_seq" ON "delivery" ("event_seq")

CREATE INDEX "delivery_inbox_id" ON "delivery" ("inbox_id")

CREATE INDEX "delivery_state_next_at" ON "delivery" ("state", "next_at")

CREATE INDEX "delivery_lane_state_id" ON "delivery" ("lane", "state", "id")

CREATE INDEX "delivery_webhook_id_id" ON "delivery" ("webhook_id", "id")

CREATE TABLE "dkim_key" ("id" BIGSERIAL NOT NULL PRIMARY KEY, "domain" VARCHAR(255) NOT NULL, "selector" TEXT NOT NULL, "private" TEXT NOT NULL, "public" TEXT NOT NULL, "state" VARCHAR(255) NOT NULL, "since" BIGINT NOT NULL)

CREATE UNIQUE INDEX "dkimkey_domain_selector" ON "dkim_key" ("domain", "selector")

CREATE TABLE "domain" ("name" VARCHAR(255) NOT NULL PRIMARY KEY, "number" BIGINT NOT NULL, "organization_id" VARCHAR(255), "pod_id" VARCHAR(255), "client_id" TEXT, "status" TEXT NOT NULL DEFAULT 'PENDING', "feedback_enabled" INTEGER NOT NULL DEFAULT 1, "subdomains_enabled" INTEGER NOT NULL DEFAULT 0, "dkim_selector" TEXT NOT NULL, "dkim_private" TEXT NOT NULL, "dkim_public" TEXT NOT NULL, "checked_json" TEXT, "verified_at" BIGINT, "ready_at" BIGINT, "proven_at" BIGINT, "mta_sts" TEXT NOT NULL DEFAULT 'testing', "checked_at" BIGINT, "changed_at" BIGINT, "created_at" BIGINT NOT NULL, "updated_at" BIGINT NOT NULL)

CREATE INDEX "domain_number" ON "domain" ("number")

CREATE INDEX "domain_organization_id" ON "domain" ("organization_id")

CREATE TABLE "draft" ("id" VARCHAR(255) NOT NULL PRIMARY KEY, "organization_id" VARCHAR(255) NOT NULL, "inbox_id" VARCHAR(255) NOT NULL, "client_id" TEXT, "content_json" TEXT NOT NULL, "attachments_json" TEXT NOT NULL DEFAULT '[]', "labels_json" TEXT NOT NULL DEFAULT '[]', "in_reply_to" TEXT, "forward_of" TEXT, "reply_all" INTEGER NOT NULL DEFAULT 0, "send_at" BIGINT, "send_status" TEXT, "test" INTEGER NOT NULL DEFAULT 0, "uid" BIGINT, "uidvalidity" BIGINT, "origin" TEXT NOT NULL DEFAULT 'api', "created_at" BIGINT NOT NULL, "updated_at" BIGINT NOT NULL)

CREATE INDEX "draft_organization_id" ON "draft" ("organization_id")

CREATE INDEX "draft_inbox_id" ON "draft" ("inbox_id")

CREATE INDEX "draft_send_at" ON "draft" ("send_at")

CREATE TABLE "draft_file" ("id" VARCHAR(255) NOT NULL PRIMARY KEY, "draft_id" VARCHAR(255) NOT NULL, "content" BYTEA NOT NULL)

CREATE INDEX "draftfile_draft_id" ON "draft_file" ("draft_id")

CREATE TABLE "event" ("seq" BIGSERIAL NOT NULL PRIMARY KEY, "id" VARCHAR(255) NOT NULL, "organization_id" VARCHAR(255) NOT NULL, "pod_id" VARCHAR(255), "inbox_id" VARCHAR(255), "type" VARCHAR(255) NOT NULL, "message_id" VARCHAR(255), "payload_json" TEXT NOT NULL, "test" INTEGER NOT NULL DEFAULT 0, "created_at" BIGINT NOT NULL)

CREATE UNIQUE INDEX "event_id" ON "event" ("id")

CREATE INDEX "event_inbox_id" ON "event" ("inbox_id")

CREATE INDEX "event_created_at" ON "event" ("created_at")

CREATE INDEX "event_organization_id_seq" ON "event" ("organization_id", "seq")

CREATE TABLE "flags_owed" ("message_id" VARCHAR(255) NOT NULL PRIMARY KEY, "inbox_id" VARCHAR(255) NOT NULL, "added" TEXT NOT NULL DEFAULT '', "removed" TEXT NOT NULL DEFAULT '', "noted_at" BIGINT NOT NULL)

CREATE INDEX "flagsowed_inbox_id" ON "flags_owed" ("inbox_id")

CREATE TABLE "folder" ("id" SERIAL NOT NULL PRIMARY KEY, "inbox_id" VARCHAR(255) NOT NULL, "name" TEXT NOT NULL, "role" VARCHAR(255) NOT NULL, "uidvalidity" BIGINT NOT NULL, "uidnext" BIGINT NOT NULL, "highestmodseq" BIGINT NOT NULL, "synced_at" BIGINT NOT NULL)

CREATE INDEX "folder_inbox_id" ON "folder" ("inbox_id")

CREATE UNIQUE INDEX "folder_inbox_id_name" ON "folder" ("inbox_id", "name")

CREATE TABLE "idempotency" ("id" BIGSERIAL NOT NULL PRIMARY KEY, "realm" VARCHAR(255) NOT NULL, "key" VARCHAR(255) NOT NULL, "fingerprint" TEXT NOT NULL, "state" VARCHAR(255) NOT NULL, "status" INTEGER, "body" TEXT, "work" VARCHAR(255) NOT NULL, "claimed_by" VARCHAR(255), "created_at" BIGINT NOT NULL)

CREATE INDEX "idempotency_created_at" ON "idempotency" ("created_at")

CREATE UNIQUE INDEX "idempotency_realm_key" ON "idempotency" ("realm", "key")

CREATE TABLE "inbox" ("id" VARCHAR(255) NOT NULL PRIMARY KEY, "number" BIGINT NOT NULL, "organization_id" VARCHAR(255) NOT NULL, "pod_id" VARCHAR(255) NOT NULL, "address" VARCHAR(255) NOT NULL, "username" TEXT NOT NULL, "domain" VARCHAR(255) NOT NULL, "display_name" TEXT, "client_id" TEXT, "external_id" TEXT, "metadata_json" TEXT NOT NULL DEFAULT '{}', "status" TEXT NOT NULL DEFAULT 'active', "active_at" BIGINT NOT NULL, "created_at" BIGINT NOT NULL, "updated_at" BIGINT NOT NULL)

CREATE INDEX "inbox_number" ON "inbox" ("number")

CREATE UNIQUE INDEX "inbox_address" ON "inbox" ("address")

CREATE INDEX "inbox_domain" ON "inbox" ("domain")

CREATE INDEX "inbox_organization_id_created_at_id_status" ON "inbox" ("organization_id", "created_at", "id", "status")

CREATE INDEX "inbox_pod_id_created_at_id_status" ON "inbox" ("pod_id", "created_at", "id", "status")

CREATE INDEX "inbox_client" ON "inbox" ("organization_id", "client_id") WHERE ("client_id" IS NOT NULL)

CREATE TABLE "label" ("id" BIGSERIAL NOT NULL PRIMARY KEY, "message_id" VARCHAR(255) NOT NULL, "inbox_id" VARCHAR(255) NOT NULL, "label" VARCHAR(255) NOT NULL)

CREATE UNIQUE INDEX "label_message_id_label" ON "label" ("message_id", "label")

CREATE INDEX "label_inbox_id_label" ON "label" ("inbox_id", "label")

CREATE TABLE "label_change" ("seq" BIGSERIAL NOT NULL PRIMARY KEY, "id" VARCHAR(255) NOT NULL, "inbox_id" VARCHAR(255) NOT NULL, "message_id" VARCHAR(255) NOT NULL, "label" TEXT NOT NULL, "added" INTEGER NOT NULL DEFAULT 0, "created_at" BIGINT NOT NULL)

CREATE UNIQUE INDEX "labelchange_id" ON "label_change" ("id")

CREATE INDEX "labelchange_created_at" ON "label_change" ("created_at")

CREATE INDEX "labelchange_inbox_id_seq" ON "label_change" ("inbox_id", "seq")

CREATE TABLE "lease" ("name" VARCHAR(255) NOT NULL PRIMARY KEY, "kind" VARCHAR(255) NOT NULL, "holder" VARCHAR(255), "token" BIGINT NOT NULL, "expires_at" BIGINT NOT NULL)

CREATE TABLE "list_entry" ("id" VARCHAR(255) NOT NULL PRIMARY KEY, "organization_id" VARCHAR(255) NOT NULL, "pod_id" VARCHAR(255), "inbox_id" VARCHAR(255), "direction" VARCHAR(255) NOT NULL, "list_type" VARCHAR(255) NOT NULL, "entry" VARCHAR(255) NOT NULL, "entry_type" VARCHAR(255) NOT NULL, "reason" TEXT, "created_at" BIGINT NOT NULL)

CREATE INDEX "listentry_organization_id" ON "list_entry" ("organization_id")

CREATE TABLE "location" ("id" BIGSERIAL NOT NULL PRIMARY KEY, "folder_id" INTEGER NOT NULL, "uid" BIGINT NOT NULL, "message_id" VARCHAR(255) NOT NULL, "inbox_id" VARCHAR(255) NOT NULL, "flags" TEXT NOT NULL DEFAULT '')

CREATE INDEX "location_message_id" ON "location" ("message_id")

CREATE INDEX "location_inbox_id" ON "location" ("inbox_id")

CREATE UNIQUE INDEX "location_folder_id_uid" ON "location" ("folder_id", "uid")

CREATE TABLE "message" ("seq" BIGSERIAL NOT NULL PRIMARY KEY, "id" VARCHAR(255) NOT NULL, "number" BIGINT NOT NULL, "organization_id" VARCHAR(255) NOT NULL, "inbox_id" VARCHAR(255) NOT NULL, "thread_id" VARCHAR(255) NOT NULL, "direction" VARCHAR(255) NOT NULL, "rfc_message_id" TEXT, "rfc_ref" VARCHAR(255), "from_json" TEXT, "from_email" VARCHAR(255), "reply_to_json" TEXT NOT NULL DEFAULT '[]', "to_json" TEXT NOT NULL DEFAULT '[]', "cc_json" TEXT NOT NULL DEFAULT '[]', "bcc_json" TEXT NOT NULL DEFAULT '[]', "subject" TEXT NOT NULL, "preview" TEXT NOT NULL, "in_reply_to" TEXT, "references_json" TEXT NOT NULL DEFAULT '[]', "headers_json" TEXT NOT NULL DEFAULT '{}', "attachments_json" TEXT NOT NULL DEFAULT '[]', "auth_json" TEXT, "defects_json" TEXT NOT NULL DEFAULT '[]', "size" BIGINT NOT NULL, "attachment_bytes" BIGINT NOT NULL DEFAULT 0, "timestamp" BIGINT NOT NULL, "status" VARCHAR(255) NOT NULL, "seen" INTEGER NOT NULL DEFAULT 0, "hidden" INTEGER NOT NULL DEFAULT 0, "truncated" INTEGER NOT NULL DEFAULT 0, "auto_submitted" INTEGER NOT NULL DEFAULT 0, "hidden_text" INTEGER NOT NULL DEFAULT 0, "test" INTEGER NOT NULL DEFAULT 0, "created_at" BIGINT NOT NULL, "updated_at" BIGINT NOT NULL)

CREATE UNIQUE INDEX "message_id" ON "message" ("id")

CREATE INDEX "message_number" ON "message" ("number")

CREATE INDEX "message_thread_id" ON "message" ("thread_id")

CREATE INDEX "message_inbox_id_timestamp_seq" ON "message" ("inbox_id", "timestamp", "seq")

CREATE INDEX "message_inbox_id_seen_hidden_timestamp_seq" ON "message" ("inbox_id", "seen", "hidden", "timestamp", "seq")

CREATE INDEX "message_organization_id_timestamp_seq_inbox_id_direction_1b3172d" ON "message" ("organization_id", "timestamp", "seq", "inbox_id", "direction", "attachment_bytes", "size", "hidden")

CREATE INDEX "message_inbox_id_rfc_ref" ON "message" ("inbox_id", "rfc_ref")

CREATE INDEX "message_thread_id_timestamp_seq" ON "message" ("thread_id", "timestamp", "seq")

CREATE INDEX "message_inbound" ON "message" ("inbox_id", "timestamp", "seq", "hidden") WHERE ("direction" = 'inbound')

CREATE INDEX "message_outbound" ON "message" ("inbox_id", "timestamp", "seq", "hidden") WHERE ("direction" = 'outbound')

CREATE INDEX "message_writer" ON "message" ("inbox_id", "from_email") WHERE ("direction" = 'inbound')

CREATE TABLE "message_body" ("message_id" VARCHAR(255) NOT NULL PRIMARY KEY, "text" TEXT, "html" TEXT, "extracted_text" TEXT, "extracted_html" TEXT, "one_time_code" TEXT, "one_time_link" TEXT)

CREATE TABLE "organization" ("id" VARCHAR(255) NOT NULL PRIMARY KEY, "name" TEXT NOT NULL, "owner_email" TEXT, "inbox_limit" INTEGER, "domain_limit" INTEGER, "created_at" BIGINT NOT NULL, "updated_at" BIGINT NOT NULL)

CREATE TABLE "outbox" ("id" VARCHAR(255) NOT NULL PRIMARY KEY, "organization_id" VARCHAR(255) NOT NULL, "inbox_id" VARCHAR(255) NOT NULL, "mail_from" TEXT NOT NULL, "message_id" VARCHAR(255) NOT NULL, "token" VARCHAR(255) NOT NULL, "mime" BYTEA, "size" INTEGER NOT NULL, "state" VARCHAR(255) NOT NULL, "next_at" BIGINT NOT NULL, "attempts" INTEGER NOT NULL DEFAULT 0, "claimed_until" BIGINT, "claimed_by" VARCHAR(255), "created_at" BIGINT NOT NULL, "updated_at" BIGINT NOT NULL)

CREATE INDEX "outbox_organization_id" ON "outbox" ("organization_id")

CREATE INDEX "outbox_message_id" ON "outbox" ("message_id")

CREATE UNIQUE INDEX "outbox_token" ON "outbox" ("token")

CREATE INDEX "outbox_next_at" ON "outbox" ("next_at")

CREATE INDEX "outbox_inbox_id_created_at" ON "outbox" ("inbox_id", "created_at")

CREATE TABLE "outbox_recipient" ("id" BIGSERIAL NOT NULL PRIMARY KEY, "outbox_id" VARCHAR(255) NOT NULL, "address" TEXT NOT NULL, "role" VARCHAR(255) NOT NULL, "state" VARCHAR(255) NOT NULL, "code" INTEGER, "status" TEXT, "diagnostic" TEXT, "remote" TEXT, "attempts" INTEGER NOT NULL DEFAULT 0, "updated_at" BIGINT NOT NULL)

CREATE INDEX "outboxrecipient_outbox_id" ON "outbox_recipient" ("outbox_id")

CREATE TABLE "pod" ("id" VARCHAR(255) NOT NULL PRIMARY KEY, "organization_id" VARCHAR(255) NOT NULL, "name" TEXT, "client_id" TEXT, "is_default" INTEGER NOT NULL DEFAULT 0, "created_at" BIGINT NOT NULL, "updated_at" BIGINT NOT NULL)

CREATE INDEX "pod_organization_id" ON "pod" ("organization_id")

CREATE UNIQUE INDEX "pod_organization_id_client_id" ON "pod" ("organization_id", "client_id")

CREATE TABLE "process" ("id" VARCHAR(255) NOT NULL PRIMARY KEY, "roles" TEXT NOT NULL, "host" TEXT NOT NULL, "pid" BIGINT NOT NULL, "place" TEXT NOT NULL, "started_at" BIGINT NOT NULL, "expires_at" BIGINT NOT NULL)

CREATE TABLE "registration" ("id" BIGSERIAL NOT NULL PRIMARY KEY, "network" VARCHAR(255) NOT NULL, "owner" VARCHAR(255) NOT NULL, "organization_id" VARCHAR(255) NOT NULL, "created_at" BIGINT NOT NULL)

CREATE INDEX "registration_created_at" ON "registration" ("created_at")

CREATE TABLE "reputation" ("subject" VARCHAR(255) NOT NULL PRIMARY KEY, "reason" TEXT, "since" BIGINT NOT NULL)

CREATE TABLE "revoked_key" ("id" VARCHAR(255) NOT NULL PRIMARY KEY, "organization_id" VARCHAR(255) NOT NULL, "revoked_at" BIGINT NOT NULL)

CREATE TABLE "sent_alias" ("id" BIGSERIAL NOT NULL PRIMARY KEY, "outbox_id" VARCHAR(255) NOT NULL, "inbox_id" VARCHAR(255) NOT NULL, "message_id" TEXT NOT NULL, "ref" VARCHAR(255) NOT NULL, "other_id" TEXT NOT NULL, "created_at" BIGINT NOT NULL)

CREATE INDEX "sentalias_outbox_id" ON "sent_alias" ("outbox_id")

CREATE INDEX "sentalias_ref" ON "sent_alias" ("ref")

CREATE UNIQUE INDEX "sentalias_inbox_id_ref" ON "sent_alias" ("inbox_id", "ref")

CREATE TABLE "suppression" ("id" BIGSERIAL NOT NULL PRIMARY KEY, "organization_id" VARCHAR(255) NOT NULL, "address" VARCHAR(255) NOT NULL, "type" VARCHAR(255) NOT NULL, "reason" TEXT, "message_id" VARCHAR(255), "created_at" BIGINT NOT NULL)

CREATE INDEX "suppression_address" ON "suppression" ("address")

CREATE UNIQUE INDEX "suppression_organization_id_address" ON "suppression" ("organization_id", "address")

CREATE INDEX "suppression_organization_id_created_at_id" ON "suppression" ("organization_id", "created_at", "id")

CREATE TABLE "tally" ("id" BIGSERIAL NOT NULL PRIMARY KEY, "subject" VARCHAR(255) NOT NULL, "what" VARCHAR(255) NOT NULL, "day" INTEGER NOT NULL, "n" BIGINT NOT NULL)

CREATE INDEX "tally_day" ON "tally" ("day")

CREATE UNIQUE INDEX "tally_subject_what_day" ON "tally" ("subject", "what", "day")

CREATE TABLE "thread" ("id" VARCHAR(255) NOT NULL PRIMARY KEY, "number" BIGINT NOT NULL, "organization_id" VARCHAR(255) NOT NULL, "inbox_id" VARCHAR(255) NOT NULL, "root" VARCHAR(255) NOT NULL, "subject" TEXT NOT NULL, "preview" TEXT NOT NULL, "last_message_id" VARCHAR(255) NOT NULL, "message_count" INTEGER NOT NULL, "size" BIGINT NOT NULL, "timestamp" BIGINT NOT NULL, "last_seq" BIGINT NOT NULL, "received_at" BIGINT, "sent_at" BIGINT, "senders_json" TEXT NOT NULL DEFAULT '[]', "recipients_json" TEXT NOT NULL DEFAULT '[]', "unread" INTEGER NOT NULL DEFAULT 0, "hidden" INTEGER NOT NULL DEFAULT 0, "hidden_count" INTEGER NOT NULL DEFAULT 0, "created_at" BIGINT NOT NULL, "updated_at" BIGINT NOT NULL)

CREATE INDEX "thread_inbox_id_timestamp_last_seq" ON "thread" ("inbox_id", "timestamp", "last_seq")

CREATE INDEX "thread_organization_id_timestamp_last_seq" ON "thread" ("organization_id", "timestamp", "last_seq")

CREATE INDEX "thread_unread" ON "thread" ("inbox_id", "timestamp", "last_seq", "hidden") WHERE ("unread" = 1)

CREATE TABLE "thread_ref" ("id" BIGSERIAL NOT NULL PRIMARY KEY, "inbox_id" VARCHAR(255) NOT NULL, "ref" VARCHAR(255) NOT NULL, "thread_id" VARCHAR(255) NOT NULL)

CREATE INDEX "threadref_thread_id" ON "thread_ref" ("thread_id")

CREATE UNIQUE INDEX "threadref_inbox_id_ref" ON "thread_ref" ("inbox_id", "ref")

CREATE TABLE "thread_tombstone" ("id" BIGSERIAL NOT NULL PRIMARY KEY, "inbox_id" VARCHAR(255) NOT NULL, "root" VARCHAR(255) NOT NULL, "generation" INTEGER NOT NULL)

CREATE INDEX "threadtombstone_inbox_id" ON "thread_tombstone" ("inbox_id")

CREATE UNIQUE INDEX "threadtombstone_inbox_id_root" ON "thread_tombstone" ("inbox_id", "root")

CREATE TABLE "wallet" ("organization_id" VARCHAR(255) NOT NULL PRIMARY KEY, "balance" BIGINT NOT NULL, "spent" BIGINT NOT NULL, "told_at" BIGINT, "updated_at" BIGINT NOT NULL)

CREATE TABLE "webhook" ("id" VARCHAR(255) NOT NULL PRIMARY KEY, "number" BIGINT NOT NULL, "organization_id" VARCHAR(255) NOT NULL, "pod_id" VARCHAR(255), "inbox_id" VARCHAR(255), "dialect" TEXT NOT NULL DEFAULT 'agentmail', "name" TEXT, "url" TEXT NOT NULL, "event_types_json" TEXT NOT NULL DEFAULT '[]', "inbox_ids_json" TEXT NOT NULL DEFAULT '[]', "pod_ids_json" TEXT NOT NULL DEFAULT '[]', "headers_json" TEXT NOT NULL DEFAULT '{}', "enabled" INTEGER NOT NULL DEFAULT 1, "client_id" TEXT, "secret" TEXT NOT NULL, "old_secret" TEXT, "old_secret_until" BIGINT, "failing_since" BIGINT, "succeeded_at" BIGINT, "disabled_reason" TEXT, "created_at" BIGINT NOT NULL, "updated_at" BIGINT NOT NULL)

CREATE INDEX "webhook_inbox_id" ON "webhook" ("inbox_id")

CREATE INDEX "webhook_organization_id_inbox_id" ON "webhook" ("organization_id", "inbox_id")

CREATE TABLE row_total (kind VARCHAR(10) NOT NULL, inbox_id VARCHAR(255) NOT NULL, hidden INTEGER NOT NULL, n BIGINT NOT NULL, PRIMARY KEY (kind, inbox_id, hidden))

CREATE FUNCTION message_total() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF TG_OP <> 'INSERT' THEN INSERT INTO row_total (kind, inbox_id, hidden, n) VALUES ('message', OLD.inbox_id, OLD.hidden, -1) ON CONFLICT (kind, inbox_id, hidden) DO UPDATE SET n = row_total.n + (-1); END IF; IF TG_OP <> 'DELETE' THEN INSERT INTO row_total (kind, inbox_id, hidden, n) VALUES ('message', NEW.inbox_id, NEW.hidden, 1) ON CONFLICT (kind, inbox_id, hidden) DO UPDATE SET n = row_total.n + (1); END IF; RETURN NULL; END $$

CREATE TRIGGER message_total_insert AFTER INSERT ON message FOR EACH ROW WHEN (1 = 1) EXECUTE FUNCTION message_total()

CREATE TRIGGER message_total_delete AFTER DELETE ON message FOR EACH ROW WHEN (1 = 1) EXECUTE FUNCTION message_total()

CREATE TRIGGER message_total_hide AFTER UPDATE OF hidden ON message FOR EACH ROW WHEN (OLD.hidden <> NEW.hidden AND 1 = 1) EXECUTE FUNCTION message_total()

CREATE FUNCTION inbound_total() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF TG_OP <> 'INSERT' THEN INSERT INTO row_total (kind, inbox_id, hidden, n) VALUES ('inbound', OLD.inbox_id, OLD.hidden, -1) ON CONFLICT (kind, inbox_id, hidden) DO UPDATE SET n = row_total.n + (-1); END IF; IF TG_OP <> 'DELETE' THEN INSERT INTO row_total (kind, inbox_id, hidden, n) VALUES ('inbound', NEW.inbox_id, NEW.hidden, 1) ON CONFLICT (kind, inbox_id, hidden) DO UPDATE SET n = row_total.n + (1); END IF; RETURN NULL; END $$

CREATE TRIGGER inbound_total_insert AFTER INSERT ON message FOR EACH ROW WHEN (NEW.direction = 'inbound') EXECUTE FUNCTION inbound_total()

CREATE TRIGGER inbound_total_delete AFTER DELETE ON message FOR EACH ROW WHEN (OLD.direction = 'inbound') EXECUTE FUNCTION inbound_total()

CREATE TRIGGER inbound_total_hide AFTER UPDATE OF hidden ON message FOR EACH ROW WHEN (OLD.hidden <> NEW.hidden AND NEW.direction = 'inbound') EXECUTE FUNCTION inbound_total()

CREATE FUNCTION thread_total() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF TG_OP <> 'INSERT' THEN INSERT INTO row_total (kind, inbox_id, hidden, n) VALUES ('thread', OLD.inbox_id, OLD.hidden, -1) ON CONFLICT (kind, inbox_id, hidden) DO UPDATE SET n = row_total.n + (-1); END IF; IF TG_OP <> 'DELETE' THEN INSERT INTO row_total (kind, inbox_id, hidden, n) VALUES ('thread', NEW.inbox_id, NEW.hidden, 1) ON CONFLICT (kind, inbox_id, hidden) DO UPDATE SET n = row_total.n + (1); END IF; RETURN NULL; END $$

CREATE TRIGGER thread_total_insert AFTER INSERT ON thread FOR EACH ROW WHEN (1 = 1) EXECUTE FUNCTION thread_total()

CREATE TRIGGER thread_total_delete AFTER DELETE ON thread FOR EACH ROW WHEN (1 = 1) EXECUTE FUNCTION thread_total()

CREATE TRIGGER thread_total_hide AFTER UPDATE OF hidden ON thread FOR EACH ROW WHEN (OLD.hidden <> NEW.hidden AND 1 = 1) EXECUTE FUNCTION thread_total()

CREATE TABLE message_search (rowid BIGINT PRIMARY KEY, subject TEXT, people TEXT, body TEXT, document TSVECTOR GENERATED ALWAYS AS (setweight(to_tsvector('simple', coalesce(subject,'')), 'A') || setweight(to_tsvector('simple', coalesce(people,'')), 'B') || to_tsvector('simple', coalesce(body,''))) STORED)

CREATE INDEX message_search_document ON message_search USING GIN (document)
