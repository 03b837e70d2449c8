"""The subcommands of `retroflex` that work on a library."""
