CREATE TRIGGER dmarc_fail_total_insert AFTER INSERT ON label WHEN new.label = 'unauthenticated' BEGIN INSERT INTO row_total (kind, inbox_id, hidden, n) VALUES ('dmarc_fail', new.inbox_id, 1, 1) ON CONFLICT (kind, inbox_id, hidden) DO UPDATE SET n = row_total.n + (1); END

CREATE TRIGGER dmarc_fail_total_delete AFTER DELETE ON label WHEN old.label = 'unauthenticated' BEGIN INSERT INTO row_total (kind, inbox_id, hidden, n) VALUES ('dmarc_fail', old.inbox_id, 1, -1) ON CONFLICT (kind, inbox_id, hidden) DO UPDATE SET n = row_total.n + (-1); END
