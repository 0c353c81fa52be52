from tests.dispatcher.fake_app import app, base, client, either, http  # noqa: F401 - fixtures
