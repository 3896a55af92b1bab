"""Storestream: store events in; recommendations and stock alerts out, while they still matter.

Follow one event by opening the files in this order.

**Recommend** (``store.events.v1`` and ``store.orders.v1`` to ``store.recommendations.v1``)

1. ``kafka/consumer.py`` fetches a chunk of a partition and hands it on as one ``RecordBatch``
2. ``agents/`` pass it to the pipeline and decide nothing
3. ``codec.py`` decodes and validates (``domain/events.py``), or a dead letter says why not
4. ``domain/sessions.py`` folds the events into their visitors' sessions (``domain/trail.py``);
   ``state/sessions.py`` is how a session is stored, ``kafka/store.py`` where;
   ``domain/history.py`` is what the model reads of it
5. ``pipeline/batcher.py`` gathers rows over all partitions while inference is busy
6. ``adapters/triton.py`` asks the model that ``model_specs.py`` describes, in the versions of
   ``pipeline/lineup.py``
7. ``domain/ranking.py`` picks ten products, or falls back when there is no model
8. ``kafka/producer.py`` publishes (``kafka/outbox.py``) and waits for the broker's confirmation
9. ``kafka/tracker.py`` commits the contiguous prefix of what is complete

**Watch stock** (``store.stock-levels.v1`` and the orders' lines to ``store.stock-alerts.v1``)

1. ``domain/movements.py`` turns an order's lines into movements, re-keyed by product
2. ``domain/product_folding.py`` folds levels and movements into a product (``domain/products.py``):
   its position at each location (``domain/position_folding.py``, ``domain/positions.py``), its demand by
   the store's own day (``domain/demand.py``, ``domain/calendar.py``), and its prices, paid
   (``domain/prices.py``) and planned (``domain/price_plans.py``)
3. ``pipeline/stock.py`` asks the forecaster (``pipeline/forecasts.py``) for each product touched, or
   due by the clock (``pipeline/upkeep.py``, ``pipeline/held_back.py``)
4. ``domain/assessment.py`` works out a planner's figures from what is there and will be wanted
   (``domain/prospects.py``; ``domain/outlook.py``: how long it lasts), ``domain/findings.py`` says what
   is the matter, ``domain/stock.py`` whether an alert opens, changes or resolves as
   ``domain/policy.py`` has it, ``domain/explaining.py`` why
5. state says that the alert is in doubt, ``kafka/producer.py`` publishes it, state says that it is
   told (``pipeline/alerts.py``); only then is the batch complete

What could not be read or answered is a dead letter: ``letters.py`` reads it back, ``dead_letters/``
counts, shows and replays.

What is the matter with the stock now, ``planning/`` lists from the alerts' topic alone.

What came of the recommendations by variant, shown, clicked and bought, ``reporting/`` reads from the
topics alone.

Exactly once, a setting, ``kafka/transactions.py`` publishes what 8 would and commits what 9 would, both
in one transaction; ``kafka/transactional_consumer.py`` says when.

Which versions answer is decided by a person (``lifecycle/``), told to every worker
(``domain/rollouts.py``, ``pipeline/rollouts.py``), and taken once a version has answered a warm-up
(``pipeline/serving.py``, ``pipeline/warming.py``); ``repository.py`` is where versions lie.

Where workers crash at a record, ``kafka/suspicion.py`` finds it by the notes they left
(``kafka/probation.py``), ``kafka/wary_consumer.py`` reads on past it, and
``pipeline/quarantine.py`` makes a dead letter of it.

What else ends a worker, so that another begins: topics that changed (``kafka/topic_watch.py``), a
group that gave it up (``kafka/vigil.py``), work that stands still (``agents/watchdog.py``), and a loop
that does (``agents/loop_guard.py``).

``app/`` wires these; ``settings.py``, ``topics.py`` and ``errors.py`` are the three tables that
the rest refers to. ``training/`` has ``models/`` learn from a store's past and ``evaluation/`` says how
well; ``local/`` embeds broker and Triton, ``demo/`` shows it all. The worker never imports these.
"""

__version__ = "0.1.0"
