"""report.html, put together without a template language: text is escaped where it becomes markup."""

from rect_eval.output.html.page import page

__all__ = ["page"]
