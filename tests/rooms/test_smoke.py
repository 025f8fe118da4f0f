def test_engine(engine):
    assert engine.dialect.name in ("sqlite", "postgresql")
