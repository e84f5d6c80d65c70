-- expect: returns 1234.50
return (("price: $1,234.50 today"):match("%$([%d,%.]+)"):gsub(",", ""))
