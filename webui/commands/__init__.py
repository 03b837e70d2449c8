"""The subcommands of `retroflex` that serve a library."""
