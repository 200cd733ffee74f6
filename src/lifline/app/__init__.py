"""The application: the command line, the demo, and the report page.

:mod:`~lifline.app.main` runs the command line.  Each command is a module of its own that needs NumPy, click
and nothing else when it is imported; the parts of lifline that it calls are imported when it runs, so that
``lifline --help`` is quick and a missing extra is named by the command that needs it.
"""
