SAMPLES: dict[str, str] = {}
