# Binds books (Ruby, nothing else).
require 'json'
require 'logger'
require 'date'
module Bindery
  class GlueError < StandardError; end
  class ThreadError < StandardError; end

  Sheet = Struct.new(:number, :owner) do
    def fold!(which)
      kind = which == 'fold.type' ? ThreadError : GlueError
      raise kind, "sheet #{number} of #{owner} is torn" if which == 'fold.msg'
      raise kind, "sheet #{number} of #{owner} (#{ENV['TEXT']}) sticks to #{ENV['AMOUNT']} others"
    end

    define_method(:unfold!) { |which| fold!(which) }
  end

  class Press
    def self.run(which)
      new.tap { |press| press.public_send(which.split('.').first, which) }
    end

    def fold(which)
      [Sheet.new(ENV['ID'], ENV['MAIL'])].each { |sheet| which == 'fold.func' ? sheet.unfold!(which) : sheet.fold!(which) }
    end

    def price(which)
      prices = { ENV['CODE'] => ENV['TEXT'] }
      case which
      when 'price' then Integer(prices.fetch(ENV['CODE']))
      when 'price.func' then prices.fetch("#{ENV['ID']}!")
      when 'price.type' then JSON.parse(ENV['TEXT'])
      when 'price.msg' then Date.parse(ENV['TEXT'] + '!')
      when 'price.nil' then nil + Integer(ENV['ID'])
      end
    end

    def sew(which)
      File.open(ENV['FILE'])
    rescue Errno::ENOENT => error
      raise GlueError, "no pattern for #{ENV['UUID']}" unless which == 'sew.bare'
      raise error
    ensure
      raise ArgumentError, "pattern #{ENV['UUID']} is older than #{ENV['DAY']}" if which == 'sew.cause'
    end

    def log(which)
      logger = Logger.new($stdout)
      what = which == 'log.msg' ? 'was lost' : 'was delayed'
      logger.error("order #{ENV['UUID']} for #{ENV['MAIL']} #{what}")
      logger.fatal(GlueError.new("pot #{ENV['ID']} is empty")) if which == 'log.other'
    end
  end
end
Bindery::Press.run(ARGV[0])
