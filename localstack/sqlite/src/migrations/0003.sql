-- Which of the workers' arms takes a message. All before there were kinds were runs of functions.
ALTER TABLE messages ADD COLUMN kind TEXT NOT NULL DEFAULT 'function';
ALTER TABLE dead_letters ADD COLUMN kind TEXT NOT NULL DEFAULT 'function';
