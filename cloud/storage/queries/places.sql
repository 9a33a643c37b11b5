-- lines: these places and all above them
SELECT id, parent_id, path, kind, code, name, lat, lon, floor, access FROM place
WHERE path = ANY (SELECT array_to_string(codes[1:n], '/')
                  FROM (SELECT string_to_array(path, '/') AS codes FROM place WHERE id = ANY (%(ids)s::int[])) AS wanted,
                       generate_series(1, cardinality(codes)) AS n);

-- visible: the tree at and below these paths, and what is above them
SELECT id, parent_id, kind, code, path, name, lat, lon, outline, floor FROM place
WHERE path = ANY (%(paths)s::text[]) OR path LIKE ANY (%(below)s::text[]) OR path = ANY (%(above)s::text[])
ORDER BY path;

-- grids: the grids of these communities
SELECT grid.id, grid.code, grid.name, grid.outline, grid.place_id FROM grid JOIN place ON place.id = grid.place_id
WHERE place.path = ANY (%(paths)s::text[]) OR place.path LIKE ANY (%(below)s::text[]) OR place.path = ANY (%(above)s::text[])
ORDER BY grid.code;

-- path: where a place is in the tree
SELECT path FROM place WHERE id = %(id)s;

-- roots: the streets
SELECT id FROM place WHERE parent_id IS NULL ORDER BY id;
