"""mParticle as a source: webhook output, the Events API its client libraries speak, Firehose and OpenDSR requests."""
