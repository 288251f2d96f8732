-- Which records of the journal are in here already: those of this epoch up to this number.
CREATE TABLE journal (
    epoch INTEGER NOT NULL,
    applied INTEGER NOT NULL
) STRICT;
INSERT INTO journal VALUES (0, 0);
