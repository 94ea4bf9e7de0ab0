"""The one step that pyproject.toml cannot say: the wheel takes the folder conf along."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class WithConf(build_py):
    """Copies ``conf/`` to ``segtrack/conf``; an editable install uses the checkout's own."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib) / "segtrack" / "conf"
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree("conf", target, ignore=shutil.ignore_patterns("local", "__pycache__"))


setup(cmdclass={"build_py": WithConf})
