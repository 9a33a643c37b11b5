-- How to get in is read by volunteers: in both languages, like every name.

ALTER TABLE place ALTER COLUMN access TYPE jsonb
    USING CASE WHEN access IS NOT NULL THEN jsonb_build_object('zh-CN', access, 'en', access) END;
