"""Writes the reference tables of QuantLib that stand beside this script; needs `pip install QuantLib==1.44`.

    python quantlib_tables.py

quantlib_negative_rates.csv: rates and yields of either sign, where early exercise may pay between two prices (Healy
2021 and Andersen and Lake 2021 treat the case; QuantLib's boundary engines refuse it). Finite differences, with the
European value on the same grid as control.

quantlib_risk_points.csv: the price at the close and at ten prices of the underlying, equally spaced to 15 % either way,
none at zero (17 CFR 240.15c3-1a), volatility, rates and cash dividends held.
"""

import random
from pathlib import Path

import QuantLib as ql

TODAY = ql.Date(2, 1, 2026)
DAY_COUNT = ql.Actual365Fixed()
HERE = Path(__file__).parent
ql.Settings.instance().evaluationDate = TODAY


def process(spot, sigma, rate, dividend_yield):
    curve = lambda r: ql.YieldTermStructureHandle(ql.FlatForward(TODAY, r, DAY_COUNT))
    surface = ql.BlackConstantVol(TODAY, ql.NullCalendar(), sigma, DAY_COUNT)
    return ql.BlackScholesMertonProcess(
        ql.QuoteHandle(ql.SimpleQuote(spot)), curve(dividend_yield), curve(rate), ql.BlackVolTermStructureHandle(surface)
    )


def option(kind, strike, days, american):
    payoff = ql.PlainVanillaPayoff(ql.Option.Call if kind == "C" else ql.Option.Put, strike)
    expiry = TODAY + days
    return ql.VanillaOption(payoff, ql.AmericanExercise(TODAY, expiry) if american else ql.EuropeanExercise(expiry))


def differences(kind, spot, strike, days, sigma, rate, dividend_yield, dividends, american, steps, nodes):
    made = option(kind, strike, days, american)
    schedule = ql.DividendVector([TODAY + day for day, _ in dividends], [amount for _, amount in dividends])
    market = process(spot, sigma, rate, dividend_yield)
    made.setPricingEngine(ql.FdBlackScholesVanillaEngine(market, schedule, steps, nodes))
    return made.NPV()


def closed(kind, spot, strike, days, sigma, rate, dividend_yield):
    made = option(kind, strike, days, False)
    made.setPricingEngine(ql.AnalyticEuropeanEngine(process(spot, sigma, rate, dividend_yield)))
    return made.NPV()


def boundary(kind, spot, strike, days, sigma, rate, dividend_yield):
    made = option(kind, strike, days, True)
    scheme = ql.QdFpAmericanEngine.highPrecisionScheme()
    made.setPricingEngine(ql.QdFpAmericanEngine(process(spot, sigma, rate, dividend_yield), scheme))
    return made.NPV()


def negative_rates():
    draw = random.Random(2021)
    lines = ["type,strike,days,sigma,rate,yield,american,european"]
    for i in range(48):
        # Of four: two with two boundaries, one with a single one, one that is never exercised or at once.
        low = round(draw.uniform(-0.02, -0.002), 4)
        high = round(draw.uniform(low, 0.0), 4) if i % 4 < 2 else round(draw.uniform(-0.01, 0.06), 4)
        kind = "P" if i % 2 else "C"
        rate, dividend_yield = (high, low) if kind == "P" else (low, high)
        strike = round(draw.uniform(70.0, 140.0), 2)
        days, sigma = draw.randint(20, 1095), round(draw.uniform(0.04, 0.5), 3)
        terms = (kind, 100.0, strike, days, sigma, rate, dividend_yield)
        grid = (2000, 1000)
        european = closed(*terms)
        american = differences(*terms, [], True, *grid) - differences(*terms, [], False, *grid) + european
        exercise = max(0.0, 100.0 - strike if kind == "C" else strike - 100.0)
        american = max(american, exercise)
        lines.append(f"{kind},{strike},{days},{sigma},{rate},{dividend_yield},{american:.6f},{european:.8f}")
    (HERE / "quantlib_negative_rates.csv").write_text("\n".join(lines) + "\n")


def risk_points():
    quarterly = [(20 + 91 * i, 0.5) for i in range(12)]
    yearly = [(60 + 182 * i, 2.0) for i in range(6)]
    moves = [m * 0.03 for m in (-5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5)]
    heads = ",".join(f"p{100 + round(100 * move)}" for move in moves)
    lines = ["type,strike,days,sigma,rate,borrow,dividends," + heads]
    for kind, strike, days, sigma, rate, borrow, dividends in [
        ("C", 100.0, 45, 0.25, 0.04, 0.0, []),
        ("P", 100.0, 45, 0.25, 0.04, 0.0, []),
        ("P", 120.0, 400, 0.4, 0.05, 0.01, []),
        ("C", 90.0, 250, 0.6, 0.03, 0.25, []),
        ("P", 80.0, 12, 0.9, 0.04, 0.0, []),
        ("C", 100.0, 90, 0.3, 0.04, 0.0, quarterly),
        ("P", 105.0, 200, 0.35, 0.04, 0.0, quarterly),
        ("C", 85.0, 300, 0.2, 0.05, 0.0, yearly),
        ("P", 110.0, 500, 0.3, 0.03, 0.02, yearly),
    ]:
        cash = [(day, amount) for day, amount in dividends if day < days]
        prices = []
        for move in moves:
            spot = 100.0 * (1.0 + move)
            if cash:
                prices.append(differences(kind, spot, strike, days, sigma, rate, borrow, cash, True, 2000, 1000))
            else:
                prices.append(boundary(kind, spot, strike, days, sigma, rate, borrow))
        text = ";".join(f"{day}:{amount}" for day, amount in cash)
        lines.append(f"{kind},{strike},{days},{sigma},{rate},{borrow},{text}," + ",".join(f"{p:.6f}" for p in prices))
    (HERE / "quantlib_risk_points.csv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    negative_rates()
    risk_points()
