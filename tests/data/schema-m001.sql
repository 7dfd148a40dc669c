BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'b24tools','m001_orders','2026-11-21 22:33:57.080888+00:00');
CREATE TABLE decisions (
            id INTEGER PRIMARY KEY,
            key TEXT NOT NULL,
            task_id INTEGER,
            position TEXT NOT NULL,
            decided_at TEXT NOT NULL,
            responsible_id INTEGER NOT NULL,
            reason TEXT NOT NULL,
            candidates TEXT NOT NULL
        );
INSERT INTO "decisions" VALUES(1,'1c:6f9619ff-8b86-d011-b42d-00c04fc964ff:0001',101,'Сварщик','2026-11-20T09:00:00+00:00',17,'finishes first','[{"id": 17, "name": "Виктор Козлов"}]');
CREATE TABLE files (
            order_id TEXT NOT NULL REFERENCES orders(id),
            name TEXT NOT NULL,
            sha256 TEXT NOT NULL,
            stored_name TEXT NOT NULL,
            size INTEGER NOT NULL,
            file_id INTEGER NOT NULL,
            saved_at TEXT NOT NULL,
            PRIMARY KEY (order_id, name, sha256)
        );
INSERT INTO "files" VALUES('6f9619ff-8b86-d011-b42d-00c04fc964ff','эскиз.pdf','abababababababababababababababababababababababababababababababab','эскиз (1Ц-00000069) abababab.pdf',10,9011,'2026-11-20T09:00:00+00:00');
CREATE TABLE order_tasks (
            key TEXT PRIMARY KEY,
            order_id TEXT NOT NULL REFERENCES orders(id),
            line INTEGER NOT NULL,
            position TEXT NOT NULL,
            title TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('planned', 'writing', 'done')),
            task_id INTEGER,
            responsible_id INTEGER,
            department_id INTEGER,
            starts_at TEXT,
            ends_at TEXT,
            deadline TEXT,
            estimate_s INTEGER,
            sent_values TEXT NOT NULL,
            assigned_at TEXT,
            writing_since TEXT
        );
INSERT INTO "order_tasks" VALUES('1c:6f9619ff-8b86-d011-b42d-00c04fc964ff:0001','6f9619ff-8b86-d011-b42d-00c04fc964ff',0,'Сварщик','Сварщик: 1Ц-00000069','done',101,17,5,'2026-11-20T09:00:00+00:00','2026-11-20T09:00:00+00:00','2026-11-20T09:00:00+00:00',3600,'{"minutes": "60"}','2026-11-20T09:00:00+00:00',NULL);
CREATE TABLE orders (
            id TEXT PRIMARY KEY,
            number TEXT NOT NULL,
            first_sent_at TEXT NOT NULL,
            last_sent_at TEXT NOT NULL,
            outcome TEXT
        );
INSERT INTO "orders" VALUES('6f9619ff-8b86-d011-b42d-00c04fc964ff','1Ц-00000069','2026-11-20T09:00:00+00:00','2026-11-20T09:00:00+00:00','created');
CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO "settings" VALUES('excluded_users','7,12');
INSERT INTO "settings" VALUES('portal_host','plant.bitrix24.ru');
CREATE TABLE task_files (
            key TEXT NOT NULL,
            name TEXT NOT NULL,
            sha256 TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('writing', 'done')),
            PRIMARY KEY (key, name, sha256)
        );
INSERT INTO "task_files" VALUES('1c:6f9619ff-8b86-d011-b42d-00c04fc964ff:0001','эскиз.pdf','abababababababababababababababababababababababababababababababab','done');
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE INDEX order_tasks_by_order ON order_tasks (order_id);
CREATE INDEX order_tasks_by_task ON order_tasks (task_id);
CREATE INDEX order_tasks_by_person ON order_tasks (responsible_id, assigned_at);
CREATE INDEX decisions_by_task ON decisions (task_id);
CREATE INDEX decisions_by_key ON decisions (key);
COMMIT;
