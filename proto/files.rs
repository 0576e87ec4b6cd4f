["common", "quote_service", "reference_service", "close_service", "mark_service", "surface_service", "risk_service"]
