"""The parent: plans, starts workers, goes through passes and rounds, keeps the journal, makes a result of it."""
