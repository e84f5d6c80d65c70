-- expect: returns table function
return tostring({}) .. " " .. tostring(pcall)
