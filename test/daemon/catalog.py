"""All that is in the extension's schema and on HQ's tables, as lines that are equal where the
things are."""
import re

# pg_depend, what each thing is, who may use it, and what is said of it.
INVENTORY = """
WITH acl AS (
    SELECT x.classid, x.objid,
        string_agg(format('%s by %s: %s%s', coalesce(nullif(a.grantee, 0)::regrole::text, 'PUBLIC'),
                       a.grantor::regrole, a.privilege_type, CASE WHEN a.is_grantable THEN '*' END),
                   ', ' ORDER BY a.grantee::regrole::text, a.privilege_type) AS list
    FROM (SELECT 'pg_proc'::regclass AS classid, oid AS objid,
              coalesce(proacl, acldefault('f', proowner)) AS acl FROM pg_proc
          UNION ALL SELECT 'pg_class'::regclass, oid, relacl FROM pg_class
          UNION ALL SELECT 'pg_namespace'::regclass, oid, nspacl FROM pg_namespace) AS x,
        aclexplode(x.acl) AS a
    GROUP BY 1, 2
), thing AS (
    SELECT 'pg_proc'::regclass AS classid, oid AS objid, proowner AS owner,
        pg_get_functiondef(oid) AS text
    FROM pg_proc WHERE pronamespace = 'vantage6_events'::regnamespace
    UNION ALL
    SELECT 'pg_class'::regclass, c.oid, relowner, concat_ws('; ',
        relkind, relpersistence, relreplident, reloptions::text, pg_get_partkeydef(c.oid),
        pg_get_expr(relpartbound, c.oid),
        CASE relkind WHEN 'v' THEN pg_get_viewdef(c.oid)
            WHEN 'i' THEN pg_get_indexdef(c.oid) WHEN 'I' THEN pg_get_indexdef(c.oid) END,
        (SELECT string_agg(concat_ws(' ', attnum, attname, format_type(atttypid, atttypmod),
                               attnotnull, attidentity, attstorage, pg_get_expr(adbin, adrelid),
                               col_description(c.oid, attnum)), ', ' ORDER BY attnum)
         FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
         WHERE attrelid = c.oid AND attnum > 0 AND relkind <> 'S'),
        (SELECT string_agg(conname || ' ' || pg_get_constraintdef(x.oid), ', ' ORDER BY conname)
         FROM pg_constraint AS x WHERE conrelid = c.oid),
        (SELECT concat_ws(' ', seqstart, seqincrement, seqmax, seqmin, seqcache, seqcycle,
                    seqtypid::regtype)
         FROM pg_sequence WHERE seqrelid = c.oid))
    FROM pg_class AS c WHERE relnamespace = 'vantage6_events'::regnamespace
    UNION ALL
    SELECT 'pg_trigger'::regclass, oid, NULL, pg_get_triggerdef(oid)
    FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL
    SELECT 'pg_namespace'::regclass, oid, nspowner, NULL
    FROM pg_namespace WHERE nspname LIKE 'vantage6%'
)
SELECT concat_ws(E'\\n  ', pg_describe_object(t.classid, t.objid, 0),
    'of ' || t.owner::regrole, t.text, a.list, obj_description(t.objid, t.classid::text),
    (SELECT 'member: ' || d.deptype::text FROM pg_depend AS d
     WHERE d.classid = t.classid AND d.objid = t.objid
         AND d.refclassid = 'pg_extension'::regclass),
    (SELECT 'dumped where ' || e.extcondition[array_position(e.extconfig, t.objid)]
     FROM pg_extension AS e
     WHERE t.objid = ANY (e.extconfig) AND t.classid = 'pg_class'::regclass),
    (SELECT 'at first: ' || i.initprivs::text FROM pg_init_privs AS i
     WHERE i.classoid = t.classid AND i.objoid = t.objid))
FROM thing AS t LEFT JOIN acl AS a ON a.classid = t.classid AND a.objid = t.objid
UNION ALL
SELECT format('extension %s: %s tables are dumped, %s of them are there', extversion,
    cardinality(extconfig), (SELECT count(*) FROM pg_class WHERE oid = ANY (extconfig)))
FROM pg_extension WHERE extname LIKE 'vantage6%'
"""


def inventory(world, database="hq"):
    """The set of these lines."""
    with world.connect("postgres", database) as db, db.cursor() as cursor:
        cursor.execute(INVENTORY)
        found = {row[0] for row in cursor.fetchall()}
    db.close()
    return found


def differences(one, other):
    """What only one of them has; readable."""
    return [re.sub(r"\s+", " ", line)[:600] for line in sorted(one ^ other)]
