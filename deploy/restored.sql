-- After any restore to an earlier moment. Numbers of events that clients have seen would be given a second time, and who
-- comes with one that is not there yet would miss what happens until then: so all that were given are left behind, and
-- every stream begins anew (`reset`).
BEGIN;
TRUNCATE events;
SELECT setval('events_id_seq', last_value + 1000000000) FROM events_id_seq;
COMMIT;
ANALYZE;
