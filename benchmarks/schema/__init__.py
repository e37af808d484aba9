"""The pydantic models of a result file, and reading, writing and sealing one."""
