"""American options on names that pay cash, by QuantLib's FdBlackScholesVanillaEngine in its spot model, 2000 x 2000.

Prints the table that sits beside this script. Run it with QuantLib from PyPI:

    python3 quantlib_dividend_chains.py > quantlib_dividend_chains.csv

Two payers: 0.50 every quarter and 2.00 every half-year, the first ex-date 20 days from the snapshot. S = 100, ACT/365.
"""
import random
import sys

import QuantLib as ql

TODAY = ql.Date(2, 1, 2026)
GRID = 2000


def price(kind, strike, days, sigma, rate, borrow, dividends):
    ql.Settings.instance().evaluationDate = TODAY
    count = ql.Actual365Fixed()
    spot = ql.QuoteHandle(ql.SimpleQuote(100.0))
    flat = lambda x: ql.YieldTermStructureHandle(ql.FlatForward(TODAY, x, count))
    vol = ql.BlackVolTermStructureHandle(ql.BlackConstantVol(TODAY, ql.NullCalendar(), sigma, count))
    process = ql.BlackScholesMertonProcess(spot, flat(borrow), flat(rate), vol)
    paid = [ql.FixedDividend(amount, TODAY + day) for day, amount in dividends]
    engine = ql.FdBlackScholesVanillaEngine(
        process, paid, GRID, GRID, 0, ql.FdmSchemeDesc.Douglas(), False, -1.0,
        ql.FdBlackScholesVanillaEngine.Spot)
    payoff = ql.PlainVanillaPayoff(ql.Option.Call if kind == "C" else ql.Option.Put, strike)
    option = ql.VanillaOption(payoff, ql.AmericanExercise(TODAY, TODAY + days))
    option.setPricingEngine(engine)
    return option.NPV(), option.delta(), option.gamma()


def main():
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    draw = random.Random(3)
    print(f"# QuantLib {ql.__version__}, FdBlackScholesVanillaEngine spot model, {GRID} x {GRID}; random.Random(3)")
    print("type,strike,days,sigma,rate,borrow,dividends,american,delta,gamma")
    for i in range(rows):
        every, amount = ((91.25, 0.5), (182.5, 2.0))[i % 2]
        kind = draw.choice("CP")
        strike = round(draw.uniform(60.0, 150.0), 1)
        days = round(2.718281828 ** draw.uniform(1.9, 6.95))
        sigma = round(draw.uniform(0.08, 0.9), 3)
        rate = round(draw.uniform(0.0, 0.06), 4)
        borrow = round(draw.choice((0.0, 0.0, draw.uniform(-0.01, 0.03))), 4)
        dividends = [(round(20 + every * k), amount) for k in range(16) if round(20 + every * k) < days]
        american, delta, gamma = price(kind, strike, days, sigma, rate, borrow, dividends)
        text = ";".join(f"{day}:{cash}" for day, cash in dividends)
        print(f"{kind},{strike},{days},{sigma},{rate},{borrow},{text},{american:.7f},{delta:.6f},{gamma:.7f}", flush=True)


if __name__ == "__main__":
    main()
