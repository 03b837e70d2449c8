"""The subcommands of `retroflex` that train and evaluate a captioner."""
