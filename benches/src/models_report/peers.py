"""The peers' side of models-report: QuantLib, asked in one line of JSON and answering in one.

Every option is [sign, strike, days, volatility, rate, yield] with the price of the underlying at 100, sign +1 for a
call and -1 for a put, whole days (QuantLib counts in dates), ACT/365, rates continuous. A price that QuantLib does
not give is null. Times are nanoseconds per option, with the time of a call that does nothing taken off.
"""

import gc
import json
import os
import sys
import time

import QuantLib as ql

SPOT = 100.0
TODAY = ql.Date(2, 1, 2026)
DAY_COUNT = ql.Actual365Fixed()
VOLATILITY_MIN, VOLATILITY_MAX = 0.01, 5.0
GUESS, ACCURACY = 0.3, 1e-6
ROUND_NS = 150_000_000  # a timed round repeats its pass until it has run so long, as the other side's does

ql.Settings.instance().evaluationDate = TODAY
SCHEMES = {
    "fast": ql.QdFpAmericanEngine.fastScheme(),
    "accurate": ql.QdFpAmericanEngine.accurateScheme(),
    "high": ql.QdFpAmericanEngine.highPrecisionScheme(),
}


class Claim:
    """One option with its own market, engine and volatility quote."""

    def __init__(self, terms, american=True):
        sign, strike, days, volatility, rate, dividend_yield = terms
        self.volatility = ql.SimpleQuote(volatility)
        curve = lambda r: ql.YieldTermStructureHandle(ql.FlatForward(TODAY, r, DAY_COUNT))
        surface = ql.BlackConstantVol(TODAY, ql.NullCalendar(), ql.QuoteHandle(self.volatility), DAY_COUNT)
        self.process = ql.BlackScholesMertonProcess(
            ql.QuoteHandle(ql.SimpleQuote(SPOT)),
            curve(dividend_yield),
            curve(rate),
            ql.BlackVolTermStructureHandle(surface),
        )
        expiry = TODAY + int(days)
        payoff = ql.PlainVanillaPayoff(ql.Option.Call if sign > 0 else ql.Option.Put, strike)
        exercise = ql.AmericanExercise(TODAY, expiry) if american else ql.EuropeanExercise(expiry)
        self.option = ql.VanillaOption(payoff, exercise)

    def boundary(self, scheme):
        self.option.setPricingEngine(ql.QdFpAmericanEngine(self.process, SCHEMES[scheme]))
        return self

    def differences(self, dividends, time_steps, nodes):
        dates = [TODAY + int(day) for day, _ in dividends]
        schedule = ql.DividendVector(dates, [amount for _, amount in dividends])
        engine = ql.FdBlackScholesVanillaEngine(self.process, schedule, time_steps, nodes)
        self.option.setPricingEngine(engine)
        return self

    def price(self, shift=0.0):
        try:
            if shift:
                self.volatility.setValue(self.volatility.value() + shift)
            value = self.option.NPV()
        except RuntimeError:
            return None
        finally:
            if shift:
                self.volatility.setValue(self.volatility.value() - shift)
        return value if value == value and abs(value) < 1e30 else None


def claim(request, index):
    made = Claim(request["options"][index])
    if "grid" in request:
        return made.differences(request["dividends"][index], *request["grid"])
    return made.boundary(request["scheme"])


def prices(request):
    """Prices, and where a shift is named vegas by central differences of it."""
    shift, values, vegas = request.get("shift"), [], []
    for index in range(len(request["options"])):
        made = claim(request, index)
        values.append(made.price())
        if shift:
            up, down = made.price(shift), made.price(-shift)
            vegas.append(None if up is None or down is None else (up - down) / (2.0 * shift))
    return {"prices": values, "vegas": vegas}


def elapsed(calls):
    """Passes that fill a round, and the nanoseconds that they took."""
    passes, start = 0, time.perf_counter_ns()
    while True:
        for call in calls:
            call()
        passes += 1
        spent = time.perf_counter_ns() - start
        if spent >= ROUND_NS:
            return passes, spent


def per_pass(calls):
    passes, spent = elapsed(calls)
    return spent / passes


class PriceTimer:
    """Prices again what has been built and priced before: nothing but the engine's own work and the call."""

    def __init__(self, request):
        claims = [claim(request, index) for index in range(len(request["options"]))]
        self.claims = [made for made in claims if made.price() is not None]
        self.calls = [made.option.recalculate for made in self.claims]
        self.nothing = [made.volatility.isValid for made in self.claims]

    def run(self):
        count = len(self.calls)
        nothing, spent = (per_pass(calls) / count for calls in (self.nothing, self.calls))
        return {"ns": spent - nothing, "nothing_ns": nothing, "count": count}


class BrentTimer:
    """Brent's method over an engine, to 1e-6 of volatility; a callback that prices nothing is taken off per step."""

    def __init__(self, request):
        self.evaluations = 0
        self.calls, self.nothing, self.solved = [], [], []
        for index, target in enumerate(request["targets"]):
            made = claim(request, index)
            solve = self.solver(made, target)
            try:
                self.solved.append(solve())
            except RuntimeError:
                self.solved.append(None)
                continue
            self.calls.append(solve)
            self.nothing.append(self.empty())

    def solver(self, made, target):
        quote, option = made.volatility, made.option

        def error(volatility):
            self.evaluations += 1
            quote.setValue(volatility)
            return option.NPV() - target

        return lambda: ql.Brent().solve(error, ACCURACY, GUESS, VOLATILITY_MIN, VOLATILITY_MAX)

    def empty(self):
        quote = ql.SimpleQuote(GUESS)

        def error(volatility):
            self.evaluations += 1
            quote.setValue(volatility)
            return quote.value() - GUESS

        return lambda: ql.Brent().solve(error, ACCURACY, 0.9 * GUESS, VOLATILITY_MIN, VOLATILITY_MAX)

    def run(self):
        count = len(self.calls)
        self.evaluations = 0
        passes, spent = elapsed(self.nothing)
        nothing = spent / max(1, self.evaluations)
        self.evaluations = 0
        passes, spent = elapsed(self.calls)
        steps = self.evaluations / (passes * count)
        ns = spent / (passes * count) - steps * nothing
        return {"ns": ns, "nothing_ns": nothing, "count": count, "steps": steps}


class Peers:
    def __init__(self):
        self.timers = {}
        self.cores = {}

    def versions(self, _):
        return {"python": sys.version.split()[0], "quantlib": ql.__version__}

    def prices(self, request):
        return prices(request)

    def prepare(self, request):
        timer = (BrentTimer if "targets" in request else PriceTimer)(request)
        self.timers[request["name"]] = timer
        return {"solved": getattr(timer, "solved", [])}

    def time(self, request):
        return self.timers[request["name"]].run()

    def pin(self, request):
        """Both sides on one core, so that they are measured under the same conditions."""
        if not hasattr(os, "sched_setaffinity"):
            return {"pinned": False}
        for pid in (request["pid"], os.getpid()):
            self.cores[pid] = os.sched_getaffinity(pid)
        core = {min(self.cores[os.getpid()])}
        for pid in self.cores:
            os.sched_setaffinity(pid, core)
        return {"pinned": True}

    def unpin(self, _):
        for pid, cores in self.cores.items():
            os.sched_setaffinity(pid, cores)
        self.cores = {}
        return {}


def main():
    gc.disable()
    peers = Peers()
    for line in sys.stdin:
        request = json.loads(line)
        answer = getattr(peers, request["do"])(request)
        gc.collect()  # before the answer: afterwards the other side is timed on this core
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


main()
