-- expect: returns 125000 12 13 0.05
return u256.fixed("1.25e1", 4) .. " " .. u256.fixed("1.25", 1, "down") .. " " .. u256.fixed("1.26", 1, "half_even") .. " " .. u256.text("5", 2)
