"""What the scripts of clients in Python share."""
import json


def same(actual, wanted):
    assert actual == wanted, '%r is not %r' % (actual, wanted)


def run(steps):
    """Each step is one test; one JSON object a line says how it went."""
    for step in steps:
        outcome = {'name': step.__name__.replace('_', ' ')}
        try:
            step()
        except BaseException as error:
            outcome['error'] = '%s: %s' % (type(error).__name__, error)
        print(json.dumps(outcome), flush=True)
