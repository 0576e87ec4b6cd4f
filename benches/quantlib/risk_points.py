"""Prices risk points again with QuantLib: rows of `risk-report --dump` on standard input, the same rows with QuantLib's
ten prices behind them on standard output.

QuantLib counts time in whole days, a close in tens of minutes; so ten minutes are a day here, with rates and variance
to match. American: finite differences in the spot (piecewise-lognormal) model; European: the analytic engine.
"""

import csv
import multiprocessing
import sys

import QuantLib as ql

UNITS = 365.0 * 144.0  # tens of minutes in a year
SCALE = 365.0 / UNITS  # model years of a QuantLib year
TODAY = ql.Date(1, 1, 1950)
GRID = int(sys.argv[1]) if len(sys.argv) > 1 else 600


def prices(row):
    ql.Settings.instance().evaluationDate = TODAY
    days = ql.Actual365Fixed()
    expiry = TODAY + int(row["units"])
    sigma, rate, borrow = (float(row[k]) for k in ("sigma", "rate", "borrow"))
    flat = lambda r: ql.YieldTermStructureHandle(ql.FlatForward(TODAY, r * SCALE, days))
    spot = ql.SimpleQuote(1.0)
    volatility = ql.BlackConstantVol(TODAY, ql.NullCalendar(), sigma * SCALE**0.5, days)
    process = ql.BlackScholesMertonProcess(
        ql.QuoteHandle(spot), flat(borrow), flat(rate), ql.BlackVolTermStructureHandle(volatility)
    )
    payoff = ql.PlainVanillaPayoff(ql.Option.Call if row["type"] == "C" else ql.Option.Put, float(row["strike"]))
    american = row["style"] == "american"
    exercise = ql.AmericanExercise(TODAY, expiry) if american else ql.EuropeanExercise(expiry)
    option = ql.VanillaOption(payoff, exercise)
    paid = [pair.split(":") for pair in row["dividends"].split(";") if pair]
    dividends = ql.DividendVector([TODAY + int(at) for at, _ in paid], [float(cash) for _, cash in paid])
    if not american:
        engine = ql.AnalyticEuropeanEngine(process)
    elif paid:
        engine = ql.FdBlackScholesVanillaEngine(
            process, dividends, GRID, GRID, 0, ql.FdmSchemeDesc.Douglas(), False, 0.0,
            ql.FdBlackScholesVanillaEngine.Spot,
        )
    else:
        engine = ql.QdFpAmericanEngine(process, ql.QdFpAmericanEngine.highPrecisionScheme())
    option.setPricingEngine(engine)
    found = []
    for j in range(1, 11):
        spot.setValue(float(row[f"s{j}"]))
        found.append(f"{option.NPV():.6f}")
    return found


def main():
    rows = list(csv.DictReader(sys.stdin))
    names = list(rows[0]) + [f"other_{j}" for j in range(1, 11)]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(names)
    with multiprocessing.Pool() as pool:
        for row, found in zip(rows, pool.imap(prices, rows)):
            writer.writerow(list(row.values()) + found)


if __name__ == "__main__":
    main()
