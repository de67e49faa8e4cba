"""The benchmark: what scripts/bench is made of.

    terms       the conditions, tests and figures, by name
    candidates  who is measured, and how each is started
    measure     takes the measurements, in namespaces (lab, session, load, processes)
    results     keeps them, outside: medians, ratios, the JSON file
    report, chart, targets     show them as tables, as SVG, and against what is wanted
"""
