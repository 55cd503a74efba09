"""Facts: the kernels that dissect and sum, and the columns they fill."""
