"""The toy network in spreadsheets: written as live formulas, and somebody else's judged."""
