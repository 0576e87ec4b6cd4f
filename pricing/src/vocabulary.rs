//! The closed vocabularies of the published files, in one versioned place.
//!
//! Every word here is a contract with readers: words are added with a new [`VOCABULARY_VERSION`], never
//! renamed and never reused.

/// The version of all vocabularies together; published in the manifest.
pub const VOCABULARY_VERSION: u32 = 1;

macro_rules! vocabulary {
    ($(#[$meta:meta])* $name:ident { $($(#[doc = $doc:literal])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[doc = $doc])* $variant,)+ }
        impl $name {
            /// Every word, in declared order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];
            /// The published word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
            /// What the word means, in one sentence: its documentation.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),*),)+ }.trim_start()
            }
            /// The word's value, or `None` where the text is not in the vocabulary.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|v| v.as_str() == text)
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.pad(self.as_str()) }
        }
    };
}

macro_rules! word_set {
    ($(#[$meta:meta])* $set:ident of $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub struct $set(u32);
        impl $set {
            /// The set without a word.
            pub const EMPTY: Self = Self(0);
            /// Adds a word.
            pub fn insert(&mut self, word: $name) { self.0 |= 1 << (word as u32); }
            /// Adds all of another set's words.
            pub fn extend(&mut self, other: Self) { self.0 |= other.0; }
            /// The set with one word more.
            #[must_use]
            pub fn with(mut self, word: $name) -> Self { self.insert(word); self }
            /// Whether the word is in the set.
            pub fn contains(self, word: $name) -> bool { self.0 & (1 << (word as u32)) != 0 }
            /// Whether there is no word.
            pub fn is_empty(self) -> bool { self.0 == 0 }
            /// The words, in the vocabulary's order.
            pub fn iter(self) -> impl Iterator<Item = $name> {
                $name::ALL.iter().copied().filter(move |w| self.contains(*w))
            }
        }
    };
}

vocabulary! {
    /// Call or put.
    OptionType {
        /// The right to buy.
        Call = "C",
        /// The right to sell.
        Put = "P",
    }
}
vocabulary! {
    /// When a series may be exercised.
    ExerciseStyle {
        /// At any time up to expiry.
        American = "american",
        /// At expiry only.
        European = "european",
    }
}
vocabulary! {
    /// Which print of the expiration day settles a series.
    Settlement {
        /// The opening, 09:30 New York.
        Am = "AM",
        /// The close, 16:00 New York (13:00 on a half day).
        Pm = "PM",
    }
}
vocabulary! {
    /// The portfolio-margin group of an underlying.
    MarginGroup {
        /// Single stocks and funds.
        Equity = "equity",
        /// Narrow-based indices.
        NarrowIndex = "narrow_index",
        /// Broad-based indices.
        BroadIndex = "broad_index",
        /// High-capitalisation broad-based indices.
        HighCapIndex = "high_cap_index",
        /// Leveraged and inverse funds.
        LeveragedFund = "leveraged_fund",
    }
}
vocabulary! {
    /// The state of a series' national best bid and offer after uncrossing; the first that applies.
    QuoteStatus {
        /// No usable quote.
        None = "NONE",
        /// A bid without an offer.
        NoAsk = "NO_ASK",
        /// Best bid above best offer, and nothing could be dropped.
        Crossed = "CROSSED",
        /// Best bid equals best offer.
        Locked = "LOCKED",
        /// An offer without a bid.
        ZeroBid = "ZERO_BID",
        /// Bid below offer.
        TwoSided = "TWO_SIDED",
    }
}
vocabulary! {
    /// Remarks beside a quote's status.
    QuoteFlag {
        /// Both sides are old while the slice moved on, and the first pass's curve lies outside.
        Stale = "STALE",
        /// The spread is at least the exchanges' obvious-error width.
        Wide = "WIDE",
        /// At least one venue's quote was dropped to uncross the market.
        Uncrossed = "UNCROSSED",
        /// The underlying's print disagreed with its options and was replaced by their implied price.
        AfterHoursUnderlying = "AFTER_HOURS_UNDERLYING",
        /// Trading in the underlying was halted at the snapshot.
        Halted = "HALTED",
    }
}
word_set! {
    /// A set of [`QuoteFlag`]s.
    QuoteFlags of QuoteFlag
}
vocabulary! {
    /// What decided a mark; the first that applies.
    MarkSource {
        /// No mark; a reason says why.
        None = "NONE",
        /// A person set it.
        Override = "OVERRIDE",
        /// Expiring now: intrinsic on the settlement price.
        Intrinsic = "INTRINSIC",
        /// From the previous close's surface.
        Carried = "CARRIED",
        /// Total variance interpolated between neighbouring expiries.
        TermInterpolated = "TERM_INTERPOLATED",
        /// No curve at all: the accepted two-sided quote's mid.
        NbboMid = "NBBO_MID",
        /// Deep in the money: parity with its twin (European), or the model at the twin's volatility (American).
        ItmParity = "ITM_PARITY",
        /// An upper volatility cap decided the target.
        CapHigh = "CAP_HIGH",
        /// A lower volatility cap decided the target.
        CapLow = "CAP_LOW",
        /// Beyond the slice's last accepted quote.
        Extrapolated = "EXTRAPOLATED",
        /// The accepted bid held the curve up.
        BoundBid = "BOUND_BID",
        /// The accepted ask held the curve down.
        BoundAsk = "BOUND_ASK",
        /// The smoothed curve.
        Smoothed = "SMOOTHED",
    }
}
vocabulary! {
    /// How the volatility of a series' mid ended.
    VolatilityStatus {
        /// Solved.
        Ok = "OK",
        /// At the exercise value: every volatility up to a critical one gives this price.
        AtIntrinsic = "AT_INTRINSIC",
        /// Below the exercise value.
        BelowIntrinsic = "BELOW_INTRINSIC",
        /// Above the model-free upper bound.
        AboveBound = "ABOVE_BOUND",
        /// Solved, but the price hardly depends on it.
        LowVega = "LOW_VEGA",
        /// No time is left.
        Expired = "EXPIRED",
        /// There is no mid.
        NoPrice = "NO_PRICE",
        /// The solver ended without an answer.
        NotConverged = "NOT_CONVERGED",
    }
}
vocabulary! {
    /// Why a mark is what it is, or why a quote was not believed.
    Reason {
        /// The quote lies too far from the curve and was excluded.
        Outlier = "OUTLIER",
        /// The quote takes part in a spread that could be executed at a sure profit.
        ExecutableArbitrage = "EXECUTABLE_ARBITRAGE",
        /// Moved so that prices stay monotone in strike.
        VerticalEdit = "VERTICAL_EDIT",
        /// Moved so that prices stay convex in strike.
        ButterflyEdit = "BUTTERFLY_EDIT",
        /// Moved so that prices stay ordered in time.
        CalendarEdit = "CALENDAR_EDIT",
        /// Moved so that calls and puts stay within parity's bounds.
        ParityEdit = "PARITY_EDIT",
        /// The slice has fewer than eight accepted quotes.
        FewQuotes = "FEW_QUOTES",
        /// No usable pair: the forward comes from spot, curve, dividends and neighbouring borrow.
        ForwardFromModel = "FORWARD_FROM_MODEL",
        /// Call and put volatilities at the money disagree by more than the half-spread.
        BorrowSuspect = "BORROW_SUSPECT",
        /// An American name without dividend information.
        DividendsUnknown = "DIVIDENDS_UNKNOWN",
        /// The slice spans a known or visible event.
        Event = "EVENT",
        /// An iteration ended at its cap.
        NonConverged = "NON_CONVERGED",
        /// An adjusted deliverable.
        Adjusted = "ADJUSTED",
        /// The root is not in the root table and `series.csv` does not say.
        UnknownRoot = "UNKNOWN_ROOT",
        /// The underlying has no usable price.
        NoUnderlyingPrice = "NO_UNDERLYING_PRICE",
        /// No curve and no quote from which a mark could be made.
        NoCurve = "NO_CURVE",
        /// A volatility cap or hard limit shaped the target.
        VolatilityCap = "VOLATILITY_CAP",
        /// Trading in the underlying was halted.
        Halted = "HALTED",
        /// The bid or ask of the quote is older than the slice.
        Stale = "STALE",
        /// The quote is crossed or lies outside the model-free bounds and is not used.
        Unusable = "UNUSABLE",
        /// The underlying's print was replaced by the options' own price.
        AfterHoursUnderlying = "AFTER_HOURS_UNDERLYING",
        /// Strikes are too fine for exact parity; it holds to half a millionth.
        ParityRounded = "PARITY_ROUNDED",
        /// A venue's quote was dropped to uncross the market.
        Uncrossed = "UNCROSSED",
        /// Volatility carried from the previous close.
        CarriedSurface = "CARRIED_SURFACE",
        /// An accepted quote asked for a volatility beyond a hard limit, and had it.
        BeyondHardLimit = "BEYOND_HARD_LIMIT",
        /// The mark lies more than a half-spread from its mid without any other reason.
        LargeEdit = "LARGE_EDIT",
        /// Exact publication moved a mark by more than its alarm: what came in was not free of arbitrage.
        LargeMove = "LARGE_MOVE",
    }
}
word_set! {
    /// A set of [`Reason`]s.
    Reasons of Reason
}
vocabulary! {
    /// How a slice's smoothing ended.
    SolverStatus {
        /// Every tolerance was met.
        Converged = "CONVERGED",
        /// The iteration cap was reached; the best iterate is kept.
        MaxIterations = "MAX_ITERATIONS",
        /// A numerical breakdown; the best iterate is kept.
        Breakdown = "BREAKDOWN",
        /// There was nothing to solve.
        NotRun = "NOT_RUN",
    }
}
vocabulary! {
    /// The solver that priced a series.
    PricingMethod {
        /// Closed form on the forward.
        Black = "BLACK",
        /// American without cash dividends: exercise-boundary integral equation.
        Boundary = "BOUNDARY",
        /// American call with one ex-date: exercise only just before it.
        SingleDividend = "SINGLE_DIVIDEND",
        /// Finite differences with cash dividends.
        CashDividends = "CASH_DIVIDENDS",
        /// The fine finite-difference fallback.
        Fallback = "FALLBACK",
    }
}
vocabulary! {
    /// The stage that recorded an exception.
    Stage {
        /// Reading the input.
        Input = "input",
        /// Forming the national best bid and offer.
        Nbbo = "nbbo",
        /// Forward and borrow.
        Parity = "parity",
        /// Implied volatility.
        ImpliedVolatility = "implied_volatility",
        /// Smoothing.
        Smoothing = "smoothing",
        /// Projection and integers.
        Publish = "publish",
        /// A person.
        Override = "override",
    }
}

#[cfg(test)]
mod tests {
    use super::{Reason, Reasons};

    #[test]
    fn words_are_unique_and_parse_back() {
        for word in Reason::ALL {
            assert_eq!(Reason::parse(word.as_str()), Some(*word));
        }
        assert!(Reason::ALL.iter().all(|word| word.meaning().ends_with('.') && !word.meaning().starts_with(' ')));
        assert_eq!(Reason::Adjusted.meaning(), "An adjusted deliverable.");
        assert!(Reason::ALL.len() <= 32);
        let set = Reasons::EMPTY.with(Reason::Adjusted).with(Reason::Outlier);
        assert_eq!(set.iter().map(Reason::as_str).collect::<Vec<_>>(), ["OUTLIER", "ADJUSTED"]);
    }
}
