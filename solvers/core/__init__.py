"""Solutions, constraints, budgets and input checks that every problem shares."""
