from tests.asterisk.conftest import install, pytest_runtest_makereport

__all__ = ["install", "pytest_runtest_makereport"]
