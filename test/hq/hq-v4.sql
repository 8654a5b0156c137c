-- The tables of vantage6 server 4.14 as it creates them on PostgreSQL, for tests, the lab and the
-- demo. Load it with search_path set to the schema that is to hold them. No index but those of the
-- keys.

CREATE TYPE operation AS ENUM ('VIEW', 'EDIT', 'CREATE', 'DELETE', 'SEND', 'RECEIVE');
CREATE TYPE scope AS ENUM ('OWN', 'ORGANIZATION', 'COLLABORATION', 'GLOBAL');

CREATE TABLE authenticatable (
    id serial PRIMARY KEY,
    type varchar(50),
    ip varchar,
    last_seen timestamp,
    status varchar
);
CREATE TABLE collaboration (
    id serial PRIMARY KEY,
    name varchar UNIQUE,
    encrypted boolean
);
CREATE TABLE algorithmstore (
    id serial PRIMARY KEY,
    name varchar,
    url varchar,
    collaboration_id integer REFERENCES collaboration
);
CREATE TABLE organization (
    id serial PRIMARY KEY,
    name varchar UNIQUE,
    domain varchar,
    address1 varchar,
    address2 varchar,
    zipcode varchar,
    country varchar,
    _public_key bytea
);
CREATE TABLE "Member" (
    organization_id integer REFERENCES organization,
    collaboration_id integer REFERENCES collaboration
);
CREATE TABLE node (
    id integer PRIMARY KEY REFERENCES authenticatable,
    name varchar UNIQUE,
    api_key varchar,
    collaboration_id integer REFERENCES collaboration,
    organization_id integer REFERENCES organization
);
CREATE TABLE nodeconfig (
    id serial PRIMARY KEY,
    node_id integer REFERENCES node,
    key varchar,
    value varchar
);
CREATE TABLE role (
    id serial PRIMARY KEY,
    name text,
    description text,
    organization_id integer REFERENCES organization,
    is_default_role boolean
);
CREATE TABLE rule (
    id serial PRIMARY KEY,
    name text,
    operation operation,
    scope scope,
    description varchar
);
CREATE TABLE role_rule_association (
    role_id integer REFERENCES role,
    rule_id integer REFERENCES rule
);
CREATE TABLE study (
    id serial PRIMARY KEY,
    name varchar UNIQUE,
    collaboration_id integer REFERENCES collaboration
);
CREATE TABLE "StudyMember" (
    organization_id integer REFERENCES organization,
    study_id integer REFERENCES study
);
CREATE TABLE "user" (
    id integer PRIMARY KEY REFERENCES authenticatable,
    username varchar UNIQUE,
    password varchar,
    firstname varchar,
    lastname varchar,
    email varchar UNIQUE,
    organization_id integer REFERENCES organization,
    failed_login_attempts integer,
    last_login_attempt timestamp,
    otp_secret varchar(32),
    last_email_failed_login_sent timestamp,
    last_email_recover_password_sent timestamp
);
CREATE TABLE "Permission" (
    role_id integer REFERENCES role,
    user_id integer REFERENCES "user"
);
CREATE TABLE task (
    id serial PRIMARY KEY,
    name varchar,
    description varchar,
    image varchar,
    collaboration_id integer REFERENCES collaboration,
    study_id integer REFERENCES study,
    job_id integer,
    parent_id integer REFERENCES task,
    init_org_id integer REFERENCES organization,
    init_user_id integer REFERENCES "user",
    created_at timestamp,
    algorithm_store_id integer REFERENCES algorithmstore
);
CREATE TABLE run (
    id serial PRIMARY KEY,
    input text,
    task_id integer REFERENCES task,
    organization_id integer REFERENCES organization,
    result text,
    assigned_at timestamp,
    started_at timestamp,
    finished_at timestamp,
    status text,
    log text,
    cleanup_at timestamp,
    blob_storage_used boolean
);
CREATE TABLE algorithmport (
    id serial PRIMARY KEY,
    port integer,
    run_id integer REFERENCES run,
    label varchar
);
CREATE TABLE taskdatabase (
    id serial PRIMARY KEY,
    task_id integer REFERENCES task,
    database varchar,
    parameters varchar
);
CREATE TABLE "UserPermission" (
    rule_id integer REFERENCES rule,
    user_id integer REFERENCES "user"
);
