CREATE FUNCTION dmarc_fail_total() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF TG_OP <> 'INSERT' THEN INSERT INTO row_total (kind, inbox_id, hidden, n) VALUES ('dmarc_fail', OLD.inbox_id, 1, -1) ON CONFLICT (kind, inbox_id, hidden) DO UPDATE SET n = row_total.n + (-1); END IF; IF TG_OP <> 'DELETE' THEN INSERT INTO row_total (kind, inbox_id, hidden, n) VALUES ('dmarc_fail', NEW.inbox_id, 1, 1) ON CONFLICT (kind, inbox_id, hidden) DO UPDATE SET n = row_total.n + (1); END IF; RETURN NULL; END $$

CREATE TRIGGER dmarc_fail_total_insert AFTER INSERT ON label FOR EACH ROW WHEN (NEW.label = 'unauthenticated') EXECUTE FUNCTION dmarc_fail_total()

CREATE TRIGGER dmarc_fail_total_delete AFTER DELETE ON label FOR EACH ROW WHEN (OLD.label = 'unauthenticated') EXECUTE FUNCTION dmarc_fail_total()
