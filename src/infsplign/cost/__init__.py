"""The cost of guidance, counted without running a model: operations, memory, and the plan that fits a GPU."""
