-- Commands are forgotten with the events that tell what became of them, so the oldest are looked for.
CREATE INDEX command_created ON command (created_at);
