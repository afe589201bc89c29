"""What guidance costs, counted without running a model: operations, memory, and the plan that fits a GPU."""
