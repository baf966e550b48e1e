"""Comparison of systems on one test set: which one is better, on which text, and for what reason.

Letters: x is a source sentence, y its reference. Modules in reading order:

    systems      translations and scores of each system; record caches them
    report       the whole comparison as data
    mismatch     outputs whose scores mislead: case, tokens, quotes or language differ
    where        words and n-grams that one system gets right and another does not
    faults       search and model errors, repetitions, omissions, unknown words
    choices      which system each output of a combination comes from
    examples     example sentences; groups: the example sentences of each group
    external     external scores (COMET, people), one number per sentence
    conclusion   the result in a few sentences
    curve        learning curves over the training text; trainings: the models they need
    compare      the steps of ``mtkit.compare``
    perplexity   the models' perplexities of a text
    page/        the report for terminal, browser and paper
"""
