"""The schema of the embedded database, as numbered migrations: entry N brings `user_version` N to N + 1."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE projects (
            id TEXT PRIMARY KEY,
            script TEXT,
            scenes TEXT,
            frames TEXT,
            clips TEXT NOT NULL DEFAULT '{}',
            video_url TEXT,
            input_image_url TEXT,
            audio_recording_url TEXT,
            created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL
        )
        """,
        "CREATE INDEX projects_by_age ON projects (created_at)",
        """
        CREATE TABLE clips (
            task_uuid TEXT PRIMARY KEY,
            project_id TEXT NOT NULL REFERENCES projects (id),
            scene TEXT NOT NULL,
            fingerprint TEXT NOT NULL,
            attempt INTEGER NOT NULL CHECK (attempt >= 1),
            status TEXT NOT NULL CHECK (status IN ('submitting', 'pending', 'succeeded', 'failed')),
            request TEXT NOT NULL,
            submitted_at TEXT NOT NULL,
            sends INTEGER NOT NULL,
            last_sent_at TEXT,
            reopened_at TEXT,
            unknown_since TEXT,
            unknown_answers INTEGER NOT NULL,
            video_url TEXT,
            failure_kind TEXT,
            failure_code TEXT,
            failure_message TEXT,
            cost_usd REAL,
            settled_at TEXT,
            settled_by TEXT,
            version INTEGER NOT NULL,
            superseded INTEGER NOT NULL DEFAULT 0,
            lease_owner TEXT,
            leased_until TEXT,
            UNIQUE (fingerprint, attempt),
            CHECK ((status = 'succeeded') = (video_url IS NOT NULL)),
            CHECK ((status = 'failed') = (failure_kind IS NOT NULL))
        )
        """,
        "CREATE INDEX clips_by_project ON clips (project_id, scene)",
        "CREATE INDEX clips_unsettled ON clips (submitted_at) WHERE status IN ('submitting', 'pending')",
        """
        CREATE VIEW clip_places AS
        SELECT
            project_id,
            scene,
            task_uuid,
            status,
            video_url,
            row_number() OVER (
                PARTITION BY project_id, scene
                ORDER BY
                    status = 'succeeded' DESC,
                    CASE WHEN status = 'succeeded' THEN settled_at END,
                    status <> 'failed' DESC,
                    attempt DESC
            ) AS place
        FROM clips
        WHERE NOT superseded
        """,
    ),
    ("ALTER TABLE projects ADD COLUMN user_id TEXT",),
    (
        """
        CREATE TABLE project_leases (
            project_id TEXT PRIMARY KEY REFERENCES projects (id),
            owner TEXT NOT NULL,
            leased_until TEXT NOT NULL
        )
        """,
    ),
    (
        # Sequence numbers, for those who watch. Triggers give them, so that no writer can forget to.
        "ALTER TABLE projects ADD COLUMN sequence INTEGER NOT NULL DEFAULT 1",
        "ALTER TABLE projects ADD COLUMN edited INTEGER NOT NULL DEFAULT 1",
        "ALTER TABLE clips ADD COLUMN sequence INTEGER NOT NULL DEFAULT 1",
        "CREATE INDEX clips_by_sequence ON clips (project_id, sequence)",
        "CREATE INDEX clips_succeeded ON clips (settled_at) WHERE status = 'succeeded'",
        """
        CREATE TRIGGER clip_recorded AFTER INSERT ON clips
        BEGIN
            UPDATE projects SET sequence = sequence + 1 WHERE id = NEW.project_id;
            UPDATE clips SET sequence = (SELECT sequence FROM projects WHERE id = NEW.project_id)
            WHERE task_uuid = NEW.task_uuid;
        END
        """,
        """
        CREATE TRIGGER clip_changed AFTER UPDATE OF status, superseded ON clips
        BEGIN
            UPDATE projects SET sequence = sequence + 1 WHERE id = NEW.project_id;
            UPDATE clips SET sequence = (SELECT sequence FROM projects WHERE id = NEW.project_id)
            WHERE task_uuid = NEW.task_uuid;
        END
        """,
        """
        CREATE TRIGGER project_edited AFTER UPDATE OF script, scenes, frames ON projects
        BEGIN
            UPDATE projects SET sequence = sequence + 1, edited = sequence + 1 WHERE id = NEW.id;
        END
        """,
    ),
    (
        # What a refusal for the moment leaves behind, and the words of the model's provider.
        "ALTER TABLE clips ADD COLUMN throttled INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE clips ADD COLUMN send_after TEXT",
        "ALTER TABLE clips ADD COLUMN failure_detail TEXT",
        # Two that succeeded in the same moment have an order, too.
        "DROP VIEW clip_places",
        """
        CREATE VIEW clip_places AS
        SELECT
            project_id,
            scene,
            task_uuid,
            status,
            video_url,
            row_number() OVER (
                PARTITION BY project_id, scene
                ORDER BY
                    status = 'succeeded' DESC,
                    CASE WHEN status = 'succeeded' THEN settled_at END,
                    CASE WHEN status = 'succeeded' THEN attempt END,
                    status <> 'failed' DESC,
                    attempt DESC
            ) AS place
        FROM clips
        WHERE NOT superseded
        """,
    ),
    (
        # What was chosen for a project's clips; null leaves it to the installation.
        "ALTER TABLE projects ADD COLUMN model TEXT",
        "ALTER TABLE projects ADD COLUMN resolution TEXT",
        "ALTER TABLE projects ADD COLUMN audio INTEGER",
        "DROP TRIGGER project_edited",
        """
        CREATE TRIGGER project_edited
        AFTER UPDATE OF script, scenes, frames, model, resolution, audio ON projects
        BEGIN
            UPDATE projects SET sequence = sequence + 1, edited = sequence + 1 WHERE id = NEW.id;
        END
        """,
    ),
    (
        # What the list of projects is filtered and sorted by: narrow rows, an index for each way to ask.
        """
        CREATE TABLE listed_projects (
            project_id TEXT PRIMARY KEY REFERENCES projects (id) ON DELETE CASCADE,
            user_id TEXT,
            created_at TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('generating', 'failed', 'done', 'idle')),
            title TEXT
        )
        """,
        "CREATE INDEX listed_by_age ON listed_projects (created_at, project_id)",
        "CREATE INDEX listed_by_state ON listed_projects (state, created_at, project_id)",
        "CREATE INDEX listed_by_owner ON listed_projects (user_id, created_at, project_id)",
        "CREATE INDEX listed_by_owner_and_state ON listed_projects (user_id, state, created_at, project_id)",
        # The rule of `clips/listing.py`. Without a clip in the ledger the column is all that is known.
        """
        CREATE VIEW project_states AS
        SELECT
            id AS project_id,
            CASE
                WHEN 'pending' IN (SELECT value FROM json_each(projects.clips)) THEN 'generating'
                WHEN 'failed' IN (SELECT value FROM json_each(projects.clips)) THEN 'failed'
                WHEN NOT EXISTS (SELECT 1 FROM json_each(projects.clips)) THEN 'idle'
                WHEN NOT EXISTS (
                    SELECT 1 FROM clips WHERE clips.project_id = projects.id AND NOT superseded
                ) THEN 'done'
                WHEN (SELECT count(*) FROM json_each(projects.clips)) = (
                    SELECT count(*) FROM (
                        SELECT key FROM json_each(projects.frames)
                        UNION SELECT key FROM json_each(projects.scenes)
                        UNION SELECT scene FROM clips WHERE clips.project_id = projects.id AND NOT superseded
                    )
                ) THEN 'done'
                ELSE 'idle'
            END AS state
        FROM projects
        """,
        """
        INSERT INTO listed_projects (project_id, user_id, created_at, state, title)
        SELECT id, user_id, created_at, state, project_title(script, scenes)
        FROM projects JOIN project_states ON project_id = id
        """,
        # Triggers, so that no writer can forget to. Only the service can tell a title: null until it has.
        """
        CREATE TRIGGER project_listed AFTER INSERT ON projects
        BEGIN
            INSERT INTO listed_projects (project_id, user_id, created_at, state)
            SELECT NEW.id, NEW.user_id, NEW.created_at, state FROM project_states WHERE project_id = NEW.id;
        END
        """,
        """
        CREATE TRIGGER listed_project_moved AFTER UPDATE OF user_id, created_at ON projects
        BEGIN
            UPDATE listed_projects SET user_id = NEW.user_id, created_at = NEW.created_at
            WHERE project_id = NEW.id;
        END
        """,
        """
        CREATE TRIGGER listed_project_changed AFTER UPDATE OF clips, scenes, frames ON projects
        BEGIN
            UPDATE listed_projects
            SET state = (SELECT state FROM project_states WHERE project_id = NEW.id)
            WHERE project_id = NEW.id;
        END
        """,
        """
        CREATE TRIGGER listed_title_changed AFTER UPDATE OF script, scenes ON projects
        BEGIN
            UPDATE listed_projects SET title = NULL WHERE project_id = NEW.id;
        END
        """,
        "DROP INDEX projects_by_age",
    ),
    (
        # The mark of a deleted project. The list leaves these out by indexes of the others alone.
        "ALTER TABLE listed_projects ADD COLUMN deleted_at TEXT",
        "DROP INDEX listed_by_age",
        "DROP INDEX listed_by_state",
        "DROP INDEX listed_by_owner",
        "DROP INDEX listed_by_owner_and_state",
        "CREATE INDEX kept_by_age ON listed_projects (created_at, project_id) WHERE deleted_at IS NULL",
        """
        CREATE INDEX kept_by_state ON listed_projects (state, created_at, project_id)
        WHERE deleted_at IS NULL
        """,
        """
        CREATE INDEX kept_by_owner ON listed_projects (user_id, created_at, project_id)
        WHERE deleted_at IS NULL
        """,
        """
        CREATE INDEX kept_by_owner_and_state ON listed_projects (user_id, state, created_at, project_id)
        WHERE deleted_at IS NULL
        """,
        """
        CREATE INDEX deleted_by_age ON listed_projects (created_at, project_id)
        WHERE deleted_at IS NOT NULL
        """,
        """
        CREATE INDEX deleted_by_owner ON listed_projects (user_id, created_at, project_id)
        WHERE deleted_at IS NOT NULL
        """,
        # The task that was paid for, of a clip that came along with a duplicate of its project.
        "ALTER TABLE clips ADD COLUMN copied_from TEXT",
    ),
    (
        # A clip that moves to another scene is news, too.
        """
        CREATE TRIGGER clip_moved AFTER UPDATE OF scene ON clips
        BEGIN
            UPDATE projects SET sequence = sequence + 1 WHERE id = NEW.project_id;
            UPDATE clips SET sequence = (SELECT sequence FROM projects WHERE id = NEW.project_id)
            WHERE task_uuid = NEW.task_uuid;
        END
        """,
    ),
    (
        # Another owner is an edit: whoever may no longer read the project and watches it is sent away.
        """
        CREATE TRIGGER project_given AFTER UPDATE OF user_id ON projects
        WHEN OLD.user_id IS NOT NEW.user_id
        BEGIN
            UPDATE projects SET sequence = sequence + 1, edited = sequence + 1 WHERE id = NEW.id;
        END
        """,
    ),
)
