-- The tables of vantage6 HQ 5.0 as it creates them on PostgreSQL, for tests, the lab and the demo.
-- Load it with search_path set to the schema that is to hold them. No index but those of the keys.

CREATE TABLE authenticatable (
    type varchar(50),
    keycloak_id varchar,
    last_seen timestamp,
    status varchar,
    keycloak_client_id varchar,
    id serial PRIMARY KEY
);
CREATE TABLE collaboration (
    name varchar UNIQUE,
    encrypted boolean,
    session_restrict_to_same_image boolean,
    id serial PRIMARY KEY
);
CREATE TABLE algorithmstore (
    name varchar,
    url varchar,
    api_path varchar,
    collaboration_id integer REFERENCES collaboration,
    id serial PRIMARY KEY
);
CREATE TABLE organization (
    name varchar UNIQUE,
    domain varchar,
    address1 varchar,
    address2 varchar,
    zipcode varchar,
    country varchar,
    _public_key bytea,
    id serial PRIMARY KEY
);
CREATE TABLE "Member" (
    organization_id integer REFERENCES organization,
    collaboration_id integer REFERENCES collaboration
);
CREATE TABLE node (
    id integer PRIMARY KEY REFERENCES authenticatable,
    name varchar UNIQUE,
    collaboration_id integer REFERENCES collaboration,
    organization_id integer REFERENCES organization
);
CREATE TABLE nodeconfig (
    node_id integer REFERENCES node,
    key varchar,
    value varchar,
    id serial PRIMARY KEY
);
CREATE TABLE role (
    name text,
    description text,
    organization_id integer REFERENCES organization,
    is_default_role boolean,
    id serial PRIMARY KEY
);
CREATE TABLE rule (
    name text,
    operation varchar,
    scope varchar,
    description varchar,
    id serial PRIMARY KEY
);
CREATE TABLE role_rule_association (
    role_id integer REFERENCES role,
    rule_id integer REFERENCES rule
);
CREATE TABLE study (
    name varchar UNIQUE,
    collaboration_id integer REFERENCES collaboration,
    id serial PRIMARY KEY
);
CREATE TABLE "StudyMember" (
    organization_id integer REFERENCES organization,
    study_id integer REFERENCES study
);
CREATE TABLE "user" (
    id integer PRIMARY KEY REFERENCES authenticatable,
    username varchar UNIQUE,
    organization_id integer REFERENCES organization,
    is_service_account boolean
);
CREATE TABLE "Permission" (
    role_id integer REFERENCES role,
    user_id integer REFERENCES "user"
);
CREATE TABLE session (
    name varchar,
    user_id integer NOT NULL REFERENCES "user",
    collaboration_id integer NOT NULL REFERENCES collaboration,
    study_id integer REFERENCES study,
    created_at timestamp,
    last_used_at timestamp,
    scope varchar,
    image varchar,
    id serial PRIMARY KEY,
    UNIQUE (name, collaboration_id)
);
CREATE TABLE dataframe (
    name varchar,
    db_label varchar,
    session_id integer REFERENCES session,
    last_session_task_id integer,
    id serial PRIMARY KEY
);
CREATE TABLE "column" (
    name varchar,
    dtype varchar,
    node_id integer REFERENCES node,
    dataframe_id integer REFERENCES dataframe,
    id serial PRIMARY KEY
);
CREATE TABLE dataframetobedeletedatnode (
    dataframe_name varchar,
    session_id integer REFERENCES session,
    node_id integer REFERENCES node,
    id serial PRIMARY KEY
);
CREATE TABLE task (
    name varchar,
    description varchar,
    image varchar,
    method varchar,
    collaboration_id integer REFERENCES collaboration,
    study_id integer REFERENCES study,
    session_id integer REFERENCES session,
    dataframe_id integer REFERENCES dataframe,
    job_id integer,
    parent_id integer REFERENCES task,
    init_org_id integer REFERENCES organization,
    init_user_id integer REFERENCES "user",
    created_at timestamp,
    algorithm_store_id integer REFERENCES algorithmstore,
    id serial PRIMARY KEY
);
CREATE TABLE run (
    arguments text,
    task_id integer REFERENCES task,
    organization_id integer REFERENCES organization,
    result text,
    assigned_at timestamp,
    started_at timestamp,
    finished_at timestamp,
    status text,
    log text,
    action text,
    cleanup_at timestamp,
    blob_storage_used boolean,
    id serial PRIMARY KEY
);
CREATE TABLE task_depends_on (
    task_id integer REFERENCES task,
    depends_on_id integer REFERENCES task,
    PRIMARY KEY (task_id, depends_on_id)
);
CREATE TABLE taskdatabase (
    task_id integer REFERENCES task,
    label varchar,
    dataframe_id integer REFERENCES dataframe,
    type varchar,
    "position" integer,
    id serial PRIMARY KEY
);
CREATE TABLE "UserPermission" (
    rule_id integer REFERENCES rule,
    user_id integer REFERENCES "user"
);
ALTER TABLE dataframe ADD FOREIGN KEY (last_session_task_id) REFERENCES task;
