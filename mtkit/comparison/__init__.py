"""The comparison: several systems on one test set; who is better, where, and why.

x a source sentence, y its reference; a system's output stands beside y. In reading order:

    systems      what each system says of the test set, and record, where that is kept
    report       the whole as data, one record a system
    mismatch     outputs whose figures mislead: other case, tokens, quotes or language
    where        words, n-grams and groups that one gets right and another does not
    faults       search and model errors, repetitions, omissions, unknown words
    examples     sentences to look at, and groups, those behind a figure
    elsewhere    scores that others give, a number a sentence
    conclusion   what all of it comes to, in a few sentences
    curve        how the systems grow with their training text, and trainings, which it needs
    compare      the steps of ``mtkit.compare``
    perplexity   the models' perplexities of a text
    page/        the report for people
"""
